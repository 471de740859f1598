//! What was typed, in the way Vault's users type it: single-dash long flags, `-flag=value` or `-flag value`, the same
//! with two dashes, and switches that take their value only after `=` (`-dev`, `-dev-plugin-init=false`).
//!
//! The flags are one table ([`FLAGS`]), which parsing, help and shell completion read.

mod flags;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use linchpin_crypto::Secret;
use linchpin_telemetry::{Format, Level};

use crate::nearest::nearest;
use flags::{COMMANDS_ELSEWHERE, FLAGS_ELSEWHERE};
pub(crate) use flags::{FLAGS, Flag, Takes};

/// The commands, as completion offers them.
pub(crate) const COMMANDS: [&str; 4] = ["server", "version", "help", "completion"];

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start a server.
    Server(Box<ServerFlags>),
    /// Say which version this is.
    Version,
    /// Explain the commands.
    Help,
    /// Explain the flags of `server`.
    ServerHelp,
    /// Print what a shell needs to complete commands and flags.
    Completion(Shell),
}

/// A shell that there is completion for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// The flags of `linchpin server`; `None` = not said, so that environment and file are asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerFlags {
    /// `-dev`.
    pub(crate) dev: bool,
    /// `-dev-root-token-id`.
    pub(crate) root_token: Option<Secret<String>>,
    /// `-dev-listen-address`.
    pub(crate) listen_address: Option<String>,
    /// `-dev-plugin-dir`.
    pub(crate) plugin_dir: Option<PathBuf>,
    /// `-dev-plugin-init=false`.
    pub(crate) no_plugin_init: bool,
    /// `-dev-no-kv`.
    pub(crate) no_kv: bool,
    /// `-dev-no-store-token`.
    pub(crate) no_store_token: bool,
    /// `-config`.
    pub(crate) config: Option<PathBuf>,
    /// `-log-level`.
    pub(crate) log_level: Option<Level>,
    /// `-log-format`.
    pub(crate) log_format: Option<Format>,
}

/// Why the words are no command. Each text says what to type instead, if that is known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// Nothing was typed.
    #[error("no command")]
    NoCommand,
    /// A word that begins no command.
    #[error("unknown command {word:?}{}", meant(*.nearest, ""))]
    UnknownCommand {
        /// The word.
        word: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A command of Vault's client.
    #[error(
        "{0:?} is a client command, which this release does not have yet: use the command line of Vault or OpenBao, \
         with VAULT_ADDR or BAO_ADDR set to this server's address"
    )]
    ClientCommand(String),
    /// A flag that there is not.
    #[error("unknown flag -{name}{}", meant(*.nearest, "-"))]
    UnknownFlag {
        /// Its name, without dashes and value.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A flag of Vault's server that is not here.
    #[error("-{0} is a flag of Vault that this server does not have yet")]
    FlagElsewhere(String),
    /// A flag without the value that it needs.
    #[error("-{name} needs a value: -{name}={placeholder}")]
    NoValue {
        /// The flag.
        name: &'static str,
        /// What stands for the value in the help.
        placeholder: &'static str,
    },
    /// A value that the flag cannot have.
    #[error("-{name}: {problem}")]
    BadValue {
        /// The flag.
        name: &'static str,
        /// What it must be.
        problem: String,
    },
    /// A word where only flags can be.
    #[error("unexpected word {word:?}{}", match .switch {
        Some(name) => format!("; the value of a switch follows an equals sign: -{name}={word}"),
        None => String::new(),
    })]
    UnexpectedWord {
        /// The word.
        word: String,
        /// The switch before it, if it looks like that one's value.
        switch: Option<&'static str>,
    },
    /// Completion for a shell that there is none for.
    #[error("completion needs the name of a shell: bash, zsh or fish")]
    NoShell,
}

fn meant(nearest: Option<&str>, dash: &str) -> String {
    nearest.map_or_else(String::new, |word| format!("; did you mean {dash}{word}?"))
}

/// Reads the words after the program's name.
///
/// # Errors
/// The words are no command.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Command, Error> {
    let mut words = words.into_iter();
    let command = words.next().ok_or(Error::NoCommand)?;
    match command.as_str() {
        "server" => server(words),
        "version" | "-v" | "-version" | "--version" => Ok(Command::Version),
        "completion" => match words.next().as_deref() {
            Some("bash") => Ok(Command::Completion(Shell::Bash)),
            Some("zsh") => Ok(Command::Completion(Shell::Zsh)),
            Some("fish") => Ok(Command::Completion(Shell::Fish)),
            Some(word) if is_help(word) => Ok(Command::Help),
            _ => Err(Error::NoShell),
        },
        "help" => match words.next().as_deref() {
            Some("server") => Ok(Command::ServerHelp),
            _ => Ok(Command::Help),
        },
        word if is_help(word) => Ok(Command::Help),
        word if COMMANDS_ELSEWHERE.contains(&word) => Err(Error::ClientCommand(command)),
        word => Err(Error::UnknownCommand {
            nearest: nearest(word, &COMMANDS),
            word: command,
        }),
    }
}

fn is_help(word: &str) -> bool {
    matches!(word, "-h" | "-help" | "--help")
}

fn server(mut words: impl Iterator<Item = String>) -> Result<Command, Error> {
    let mut flags = ServerFlags::default();
    let mut switch_before = None;
    while let Some(word) = words.next() {
        if is_help(&word) {
            return Ok(Command::ServerHelp);
        }
        let Some(body) = word
            .strip_prefix('-')
            .map(|body| body.strip_prefix('-').unwrap_or(body))
            .filter(|body| !body.is_empty())
        else {
            let switch = switch_before.filter(|_| to_bool(&word).is_some());
            return Err(Error::UnexpectedWord { word, switch });
        };
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
            if FLAGS_ELSEWHERE.contains(&name) {
                return Err(Error::FlagElsewhere(name.to_owned()));
            }
            let known = FLAGS.map(|flag| flag.name);
            return Err(Error::UnknownFlag {
                name: name.to_owned(),
                nearest: nearest(name, &known),
            });
        };
        switch_before = match flag.takes {
            Takes::Nothing => {
                flags.switch(flag, &value.unwrap_or_else(|| "true".to_owned()))?;
                Some(flag.name)
            }
            Takes::Value(placeholder) => {
                let value = value.or_else(|| words.next()).ok_or(Error::NoValue {
                    name: flag.name,
                    placeholder,
                })?;
                flags.set(flag, value)?;
                None
            }
        };
    }
    Ok(Command::Server(Box::new(flags)))
}

impl ServerFlags {
    fn switch(&mut self, flag: &Flag, value: &str) -> Result<(), Error> {
        let on = to_bool(value)
            .ok_or_else(|| bad(flag, format!("must be true or false, found {value:?}")))?;
        match flag.name {
            "dev" => self.dev = on,
            "dev-plugin-init" => self.no_plugin_init = !on,
            "dev-no-kv" => self.no_kv = on,
            "dev-no-store-token" => self.no_store_token = on,
            // Version 1 is what there is.
            "dev-kv-v1" if on => {}
            "dev-kv-v1" => {
                let problem = "key-value engines of version 2 come with a later release";
                return Err(bad(flag, problem.to_owned()));
            }
            _ => return Err(bad(flag, "is no switch".to_owned())),
        }
        Ok(())
    }

    fn set(&mut self, flag: &Flag, value: String) -> Result<(), Error> {
        match flag.name {
            "dev-root-token-id" => self.root_token = Some(Secret::new(value)),
            "dev-listen-address" => self.listen_address = Some(value),
            "dev-plugin-dir" => self.plugin_dir = Some(PathBuf::from(value)),
            "config" => self.config = Some(PathBuf::from(value)),
            "log-level" => self.log_level = Some(word(flag, &value)?),
            "log-format" => self.log_format = Some(word(flag, &value)?),
            _ => return Err(bad(flag, "takes no value".to_owned())),
        }
        Ok(())
    }
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    flag: &Flag,
    value: &str,
) -> Result<T, Error> {
    value.parse().map_err(|e: T::Err| bad(flag, e.to_string()))
}

fn bad(flag: &Flag, problem: String) -> Error {
    Error::BadValue {
        name: flag.name,
        problem,
    }
}

/// The words that Go's flags take.
fn to_bool(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
