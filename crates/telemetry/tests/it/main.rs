//! What the log contains, and what it never does.

#![cfg(test)]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use linchpin_telemetry::redact::{Hidden, PLACEHOLDER, tokens, variables};
use linchpin_telemetry::{Format, Level, Options, subscriber, wants_colour};
use proptest::prelude::*;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that one event of each level makes, from one of our crates and from a library.
fn log(options: Options) -> Vec<String> {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    tracing::subscriber::with_default(subscriber(options, move || writer.clone()), || {
        tracing::trace!(target: "linchpin_core", "ours-trace");
        tracing::debug!(target: "linchpin_core", "ours-debug");
        tracing::info!(target: "linchpin_core", mount = "m/", "ours-info");
        tracing::warn!(target: "linchpin_core", "ours-warn");
        tracing::error!(target: "linchpin_core", "ours-error");
        tracing::debug!(target: "h2::codec", "theirs-debug");
        tracing::info!(target: "h2::codec", "theirs-info");
        tracing::warn!(target: "h2::codec", "theirs-warn");
    });
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn messages(level: Level) -> Vec<String> {
    let lines = log(Options {
        level,
        ..Options::default()
    });
    lines
        .iter()
        .flat_map(|line| line.split_whitespace())
        .filter(|w| w.starts_with("ours-") || w.starts_with("theirs-"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn levels_are_ours_and_libraries_are_quiet() {
    assert_eq!(messages(Level::Error), ["ours-error"]);
    assert_eq!(
        messages(Level::Warn),
        ["ours-warn", "ours-error", "theirs-warn"]
    );
    assert_eq!(
        messages(Level::Info),
        ["ours-info", "ours-warn", "ours-error", "theirs-warn"]
    );
    assert_eq!(
        messages(Level::Debug),
        [
            "ours-debug",
            "ours-info",
            "ours-warn",
            "ours-error",
            "theirs-warn"
        ]
    );
    assert_eq!(messages(Level::Trace).len(), 8);
}

#[test]
fn formats_are_text_and_one_json_object_per_line() {
    for line in log(Options {
        format: Format::Json,
        colour: true,
        ..Options::default()
    }) {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        for key in ["timestamp", "level", "target", "message"] {
            assert!(object.get(key).is_some(), "{key} in {line}");
        }
    }
    let plain = log(Options::default()).concat();
    assert!(
        plain.contains("INFO linchpin_core: ours-info mount=\"m/\""),
        "{plain}"
    );
    assert!(!plain.contains('\u{1b}'));
    assert!(
        log(Options {
            colour: true,
            ..Options::default()
        })
        .concat()
        .contains('\u{1b}')
    );
}

#[test]
fn words_are_vaults() {
    for (word, level) in [
        ("trace", Level::Trace),
        ("DEBUG", Level::Debug),
        ("info", Level::Info),
        ("notice", Level::Info),
        ("warn", Level::Warn),
        ("warning", Level::Warn),
        ("err", Level::Error),
        ("error", Level::Error),
    ] {
        assert_eq!(word.parse(), Ok(level), "{word}");
    }
    assert_eq!(
        "loud".parse::<Level>().unwrap_err().to_string(),
        "\"loud\" is not a log level: use trace, debug, info, warn or error"
    );
    assert_eq!("json".parse(), Ok(Format::Json));
    assert_eq!("standard".parse(), Ok(Format::Standard));
    assert_eq!(
        "xml".parse::<Format>().unwrap_err().to_string(),
        "\"xml\" is not a log format: use standard or json"
    );
}

#[test]
fn colour_needs_a_terminal_and_no_objection() {
    assert!(wants_colour(None, true));
    assert!(wants_colour(Some(OsStr::new("")), true));
    assert!(!wants_colour(Some(OsStr::new("1")), true));
    assert!(!wants_colour(None, false));
}

#[test]
fn secrets_do_not_show() {
    assert_eq!(
        format!("{} {:?}", Hidden("x"), Hidden(7)),
        format!("{PLACEHOLDER} {PLACEHOLDER}")
    );
    assert_eq!(
        variables(&["A=1".to_owned(), "hunter2".to_owned(), "B=".to_owned()]),
        "A, <redacted>, B"
    );
    for (text, expected) in [
        ("nothing here", "nothing here"),
        ("token hvs.CAESIJlDnPuMIkSHh2Xp.", "token <redacted>"),
        (
            "é \"s.abcdefghijklmnopqrstuvwx\", b.short",
            "é \"<redacted>\", b.short",
        ),
        (
            "hvb.AAAAAAAAAAAAAAAAAAAAAAAA hvr.BBBBBBBBBBBBBBBBBBBBBBBB",
            "<redacted> <redacted>",
        ),
        (
            "https://example.com/s.html vs.abcdefghijklmnopqrstuvwx",
            "https://example.com/s.html vs.abcdefghijklmnopqrstuvwx",
        ),
        ("", ""),
    ] {
        assert_eq!(tokens(text), expected);
    }
}

proptest! {
    #[test]
    fn no_token_survives_wherever_it_stands(before in ".{0,20}", body in "[A-Za-z0-9]{24}", after in ".{0,20}") {
        let text = format!("{before} hvs.{body} {after}");
        prop_assert!(!tokens(&text).contains(&body));
    }

    #[test]
    fn text_without_tokens_stays(text in "[a-zé =:\"]{0,80}") {
        prop_assert_eq!(tokens(&text), text.as_str());
    }
}

mod stalled;
