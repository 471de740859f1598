//! What can be typed: commands, flags and what follows them, as tables. One reader serves the client's commands and the
//! server's flags alike, and help and completion are made from the same tables.
//!
//! The grammar is that of Vault's users: single-dash long flags, `-flag=value` or `-flag value`, the same with two dashes,
//! and switches that take their value only after `=` (`-detailed`, `-detailed=false`). Flags may also follow the arguments;
//! `--` ends them. A general argument parser knows no such flags, so this one is our own.

mod read;

pub(crate) use read::is_help;
pub use read::{Error, Typed, read, to_bool};

/// One command: a row of the table.
#[derive(Debug)]
pub struct Command {
    /// The words that name it, such as `plugin list`.
    pub name: &'static str,
    /// What follows the flags, as the help shows it: `TYPE NAME`, `[TYPE]` for one that may be missing, `DATA...` for any
    /// number. How many arguments the command takes is read from it.
    pub arguments: &'static str,
    /// What it does, in a few words.
    pub synopsis: &'static str,
    /// What it does, in full. Lines are kept.
    pub about: &'static str,
    /// What somebody wants, and the line that does it, without the program's name.
    pub examples: &'static [(&'static str, &'static str)],
    /// Its own flags.
    pub flags: &'static [Flag],
    /// Flags that it shares with other commands.
    pub groups: &'static [&'static Group],
}

/// Flags that several commands take.
#[derive(Debug)]
pub struct Group {
    /// What the help calls them.
    pub title: &'static str,
    /// The flags.
    pub flags: &'static [Flag],
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// What it does, as the help says it.
    pub help: &'static str,
    /// The name of the variable that says the same, without its prefix; empty = none.
    pub variable: &'static str,
}

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or `=true`, `=false`.
    Nothing,
    /// A value, which the help calls so. A flag may be given several times: the command takes the last value or all.
    Value(&'static str),
}

impl Flag {
    /// A flag that takes nothing.
    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            takes: Takes::Nothing,
            help,
            variable: "",
        }
    }

    /// A flag that takes a value.
    pub const fn value(name: &'static str, placeholder: &'static str, help: &'static str) -> Self {
        Self {
            name,
            takes: Takes::Value(placeholder),
            help,
            variable: "",
        }
    }

    /// The same, with a variable of the environment in its place when it is not given.
    pub const fn or(self, variable: &'static str) -> Self {
        Self { variable, ..self }
    }
}

impl Command {
    /// Every flag that it takes, its own first.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> {
        let groups = self.groups.iter().flat_map(|group| group.flags);
        self.flags.iter().chain(groups)
    }

    /// The first word of its name.
    pub fn first_word(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or_default()
    }

    /// How many arguments it needs at least, and takes at most; `None` = any number.
    pub(crate) fn arity(&self) -> (usize, Option<usize>) {
        let words = self.arguments.split_whitespace();
        let (mut least, mut most) = (0, Some(0));
        for word in words {
            if !word.starts_with('[') {
                least += 1;
            }
            most = match most {
                Some(most) if !word.contains("...") => Some(most + 1),
                _ => None,
            };
        }
        (least, most)
    }
}
