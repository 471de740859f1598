//! What xtask says to the person in front of it: one line a fact, on standard error, coloured only for a terminal.

use std::io::{IsTerminal, Write};

/// A step that begins now and may take a while.
pub(crate) fn step(text: &str) {
    line("36", "->", text);
}

/// Something that is there, done or as it should be.
pub(crate) fn good(text: &str) {
    line("32", "ok", text);
}

/// Something that was left out, and why.
pub(crate) fn skipped(text: &str) {
    line("33", "skipped", text);
}

/// What ended the command.
pub(crate) fn failure(text: &str) {
    line("31", "error:", text);
}

/// Plain text, such as a help page, on standard output.
pub(crate) fn text(text: &str) {
    // Nobody is left to tell when standard output is closed.
    drop(std::io::stdout().write_all(text.as_bytes()));
}

fn line(colour: &str, word: &str, text: &str) {
    let mut out = std::io::stderr().lock();
    let coloured =
        std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && out.is_terminal();
    let written = if coloured {
        writeln!(out, "\x1b[1;{colour}m{word}\x1b[0m {text}")
    } else {
        writeln!(out, "{word} {text}")
    };
    drop(written);
}
