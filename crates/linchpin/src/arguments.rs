//! What was typed: a command that the binary carries out itself, or one of the client's, which `linchpin-cli` reads and runs.
//!
//! **To add a command here**, such as one that needs the plugin host: a row in [`OWN`], which makes it known to help, completion
//! and suggestions, and an arm in [`parse`] that says what its flags mean. It may be named by two words, as `plugin test`: the
//! longest name that fits wins over the client's commands.

mod flags;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use linchpin_cli::completion::Shell;
use linchpin_cli::grammar::{self, Typed, read};
use linchpin_crypto::Secret;
use linchpin_telemetry::{Format, Level};

use flags::FLAGS_ELSEWHERE;
pub(crate) use flags::OWN;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start a server.
    Server(Box<ServerFlags>),
    /// Say which version this is.
    Version,
    /// Explain the command of that name, which is one of [`OWN`].
    Help(&'static str),
    /// Print what a shell needs to complete commands and flags.
    Completion(Shell),
    /// Examine a plugin's binary.
    PluginTest(Typed),
    /// Whatever these words are to the client.
    Client(Vec<String>),
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
    /// They are not what the command takes.
    #[error(transparent)]
    Grammar(#[from] grammar::Error),
    /// A flag of Vault's server that is not here.
    #[error("-{0} is a flag of Vault that this server does not have yet")]
    FlagElsewhere(String),
    /// A value that the flag cannot have.
    #[error("-{name}: {problem}")]
    BadValue {
        /// The flag.
        name: &'static str,
        /// What it must be.
        problem: String,
    },
    /// Completion for a shell that there is none for.
    #[error("completion needs the name of a shell: bash, zsh or fish")]
    NoShell,
}

/// Reads the words after the program's name.
///
/// # Errors
/// They name a command of the binary's own, and are not what it takes.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Command, Error> {
    let words: Vec<String> = words.into_iter().collect();
    if let [word] = words.as_slice()
        && ["-v", "-version", "--version"].contains(&word.as_str())
    {
        return Ok(Command::Version);
    }
    let Some((own, rest)) = find(&words) else {
        return Ok(Command::Client(words));
    };
    let typed = read(own, rest.iter().cloned()).map_err(|error| match error {
        grammar::Error::UnknownFlag { name, .. } if FLAGS_ELSEWHERE.contains(&name.as_str()) => {
            Error::FlagElsewhere(name)
        }
        other => Error::Grammar(other),
    })?;
    if typed.wants_help() {
        return Ok(Command::Help(own.name));
    }
    match own.name {
        "server" => Ok(Command::Server(Box::new(ServerFlags::of(&typed)?))),
        "version" => Ok(Command::Version),
        "plugin test" => Ok(Command::PluginTest(typed)),
        "completion" => match Shell::named(typed.argument(0)) {
            Some(shell) => Ok(Command::Completion(shell)),
            None => Err(Error::NoShell),
        },
        // Help on a command is what the command itself says of it.
        _ => {
            let mut words = typed.arguments().to_vec();
            words.push("-h".to_owned());
            match find(&words) {
                Some((own, _)) => Ok(Command::Help(own.name)),
                None => Ok(Command::Client(words)),
            }
        }
    }
}

/// The command of ours that the words begin with, and what follows its name.
fn find(words: &[String]) -> Option<(&'static grammar::Command, &[String])> {
    let begins = |own: &&grammar::Command| {
        let mut name = own.name.split(' ').zip(words.iter());
        let length = own.name.split(' ').count();
        words.len() >= length && name.all(|(name, word)| name == word)
    };
    let own = OWN.iter().filter(begins).max_by_key(|own| own.name.len())?;
    let rest = words.get(own.name.split(' ').count()..)?;
    Some((own, rest))
}

impl ServerFlags {
    fn of(typed: &Typed) -> Result<Self, Error> {
        let mut flags = Self::default();
        for (name, on) in typed.all_switches() {
            flags.switch(name, on)?;
        }
        for (name, value) in typed.all_values() {
            flags.set(name, value)?;
        }
        Ok(flags)
    }

    fn switch(&mut self, name: &'static str, on: bool) -> Result<(), Error> {
        match name {
            "dev" => self.dev = on,
            "dev-plugin-init" => self.no_plugin_init = !on,
            "dev-no-kv" => self.no_kv = on,
            "dev-no-store-token" => self.no_store_token = on,
            // Version 1 is what there is.
            "dev-kv-v1" if on => {}
            "dev-kv-v1" => {
                let problem = "key-value engines of version 2 come with a later release";
                return Err(bad(name, problem.to_owned()));
            }
            _ => return Err(bad(name, "is no switch".to_owned())),
        }
        Ok(())
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), Error> {
        match name {
            "dev-root-token-id" => self.root_token = Some(Secret::new(value.to_owned())),
            "dev-listen-address" => self.listen_address = Some(value.to_owned()),
            "dev-plugin-dir" => self.plugin_dir = Some(PathBuf::from(value)),
            "config" => self.config = Some(PathBuf::from(value)),
            "log-level" => self.log_level = Some(word(name, value)?),
            "log-format" => self.log_format = Some(word(name, value)?),
            _ => return Err(bad(name, "takes no value".to_owned())),
        }
        Ok(())
    }
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &'static str,
    value: &str,
) -> Result<T, Error> {
    value.parse().map_err(|e: T::Err| bad(name, e.to_string()))
}

fn bad(name: &'static str, problem: String) -> Error {
    Error::BadValue { name, problem }
}
