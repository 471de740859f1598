//! The client's command line: Vault's commands and output, and Linchpin's own for plugins. Calls of the API go through
//! `linchpin-client`; nothing here knows the server's insides.
//!
//! | module | what it is |
//! |---|---|
//! | [`grammar`] | what can be typed, as tables, and the reader that serves every command |
//! | `commands` | the commands, a module for each family; a command is a row and a function |
//! | `session`, `tls` | the server's address, whom to trust, who asks, and how refusals read |
//! | `tree`, `table`, `yaml`, `print` | answers as they are printed |
//! | [`help`], [`completion`] | texts and scripts made from the tables |
//!
//! Standard output is Vault's to the letter, because scripts read it. What Linchpin says beyond it goes to standard error, or
//! is asked for with a flag. Exit codes: 0 success, 1 typed wrongly, 2 refused by the server or not answered.

pub mod completion;
pub mod grammar;
pub mod help;

mod call;
mod commands;
mod environment;
mod failure;
mod nearest;
mod print;
mod session;
mod table;
mod tls;
mod tree;
mod yaml;

pub use call::{Io, ask_hidden};
pub use nearest::nearest;

use call::{Call, has_colour, write_out};
use commands::{ELSEWHERE, Entry, FAMILIES, entries};
use failure::{Failure, USAGE};
use grammar::{Command, read};

/// The client's commands, in the order of the help.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    entries().map(|entry| &entry.command)
}

/// Runs what was typed after the program's name and returns the exit code. `others` are the commands that the binary has beside
/// the client's and carries out itself: they are known to the help and to suggestions.
pub fn run(words: &[String], others: &[&'static Command], io: &mut Io<'_>) -> u8 {
    match try_run(words, others, io) {
        Ok(()) => 0,
        Err(failure) => {
            if failure.is_answer {
                let _ = write_out(io, &format!("{}\n", failure.text));
            } else if !failure.text.is_empty() {
                let colour = has_colour(io);
                let text = if colour {
                    format!("\x1b[31m{}\x1b[0m", failure.text)
                } else {
                    failure.text
                };
                // Nobody reads it: then nobody misses it.
                let _ = writeln!(io.err, "{text}");
            }
            failure.code
        }
    }
}

fn try_run(words: &[String], others: &[&'static Command], io: &mut Io<'_>) -> Result<(), Failure> {
    let asks_help = words.iter().any(|word| grammar::is_help(word));
    let Some((entry, rest)) = find(words) else {
        return no_command(words, others, asks_help, io);
    };
    let typed = read(&entry.command, rest).map_err(|error| {
        let failure = Failure::from(error);
        let name = entry.command.name;
        Failure {
            text: format!("{}\nHelp: linchpin {name} -h", failure.text),
            ..failure
        }
    })?;
    if typed.wants_help() {
        return write_out(io, &help::command(&entry.command));
    }
    (entry.run)(&mut Call::new(typed, io)?)
}

/// The command with the longest name that the words begin with, and what follows it.
fn find(words: &[String]) -> Option<(&'static Entry, &[String])> {
    let begins = |entry: &&Entry| {
        let name: Vec<&str> = entry.command.name.split(' ').collect();
        words.len() >= name.len() && name.iter().zip(words).all(|(name, word)| name == word)
    };
    let entry = entries()
        .filter(begins)
        .max_by_key(|entry| entry.command.name.len())?;
    let rest = words.get(entry.command.name.split(' ').count()..)?;
    Some((entry, rest))
}

/// The words name no command: a family alone, a request for help, or a mistake.
fn no_command(
    words: &[String],
    others: &[&'static Command],
    asks_help: bool,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let all: Vec<&'static Command> = commands().chain(others.iter().copied()).collect();
    let names: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    // The longest family that the words begin with.
    let family = (1..=names.len())
        .rev()
        .filter_map(|count| Some(names.get(..count)?.join(" ")))
        .find(|begin| FAMILIES.iter().any(|(family, _)| family == begin));
    let text = match &family {
        Some(family) => help::family(family, &all),
        None => help::overview(&all),
    };
    let rest = family
        .as_ref()
        .map_or(0, |family| family.split(' ').count());
    let Some(word) = names.get(rest) else {
        // A family without more, or nothing at all.
        return if asks_help {
            write_out(io, &text)
        } else {
            Err(Failure::usage(text.trim_end()))
        };
    };
    if family.is_none() && ELSEWHERE.contains(word) {
        return Err(Failure::usage(format!(
            "Error: {word:?} is a command of Vault's client that this one does not have yet: use the command line of Vault or \
             OpenBao, with VAULT_ADDR or BAO_ADDR set to this server's address"
        )));
    }
    let typed = match &family {
        Some(family) => format!("{family} {word}"),
        None => (*word).to_owned(),
    };
    let known: Vec<&'static str> = candidates(&all, family.as_deref());
    let hint = match nearest(&typed, &known) {
        Some(meant) => format!("; did you mean {meant}?"),
        None => String::new(),
    };
    let help = match &family {
        Some(family) => format!("linchpin {family} -h"),
        None => "linchpin help, linchpin server -help".to_owned(),
    };
    Err(Failure {
        code: USAGE,
        ..Failure::usage(format!(
            "Error: unknown command {typed:?}{hint}\nHelp: {help}"
        ))
    })
}

/// What may have been meant: the commands and families on that level.
fn candidates(all: &[&'static Command], family: Option<&str>) -> Vec<&'static str> {
    let level = family.map_or(1, |family| family.split(' ').count() + 1);
    let names = all.iter().map(|command| command.name);
    let families = FAMILIES.iter().map(|(family, _)| *family);
    names
        .chain(families)
        .filter(|name| name.split(' ').count() == level)
        .filter(|name| family.is_none_or(|family| name.starts_with(family)))
        .collect()
}

#[cfg(test)]
mod tests;
