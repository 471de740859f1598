//! From words to a command's flags and arguments.

use super::{Command, Flag, Takes};
use crate::nearest::nearest;

/// The flags and arguments of one command, as they were typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    switches: Vec<(&'static str, bool)>,
    values: Vec<(&'static str, String)>,
    arguments: Vec<String>,
    help: bool,
}

/// Why words are no flags and arguments of a command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flag that there is not.
    #[error("unknown flag -{name}{}", match .nearest {
        Some(nearest) => format!("; did you mean -{nearest}?"),
        None => String::new(),
    })]
    UnknownFlag {
        /// Its name, without dashes and value.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
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
    /// Fewer arguments than the command needs.
    #[error("Not enough arguments (expected {expected}, got {got})")]
    TooFew {
        /// How many, in words.
        expected: String,
        /// How many there are.
        got: usize,
    },
    /// More arguments than the command takes.
    #[error("Too many arguments (expected {expected}, got {got})")]
    TooMany {
        /// How many, in words.
        expected: String,
        /// How many there are.
        got: usize,
    },
}

/// Reads the words after a command's name.
///
/// # Errors
/// They are no flags and arguments of it. Where help is asked for, the rest is not looked at.
pub fn read(
    command: &Command,
    words: impl IntoIterator<Item = impl Into<String>>,
) -> Result<Typed, Error> {
    let mut words = words.into_iter().map(Into::into);
    let mut typed = Typed::default();
    let mut switch_before = None;
    let takes_arguments = !command.arguments.is_empty();
    while let Some(word) = words.next() {
        if is_help(&word) {
            typed.help = true;
            return Ok(typed);
        }
        if word == "--" && takes_arguments {
            typed.arguments.extend(words);
            break;
        }
        let Some(body) = flag_body(&word) else {
            let value_of = switch_before.filter(|_| to_bool(&word).is_some());
            if !takes_arguments && (value_of.is_some() || command.groups.is_empty()) {
                let switch = value_of;
                return Err(Error::UnexpectedWord { word, switch });
            }
            typed.arguments.push(word);
            switch_before = None;
            continue;
        };
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some(flag) = command.all_flags().find(|flag| flag.name == name) else {
            let known: Vec<&'static str> = command.all_flags().map(|flag| flag.name).collect();
            return Err(Error::UnknownFlag {
                name: name.to_owned(),
                nearest: nearest(name, &known),
            });
        };
        switch_before = typed.take(flag, value, || words.next())?;
    }
    let (least, most) = command.arity();
    let got = typed.arguments.len();
    let expected = expected(least, most);
    if got < least {
        return Err(Error::TooFew { expected, got });
    }
    if most.is_some_and(|most| got > most) {
        return Err(Error::TooMany { expected, got });
    }
    Ok(typed)
}

fn expected(least: usize, most: Option<usize>) -> String {
    match most {
        None => format!("at least {least}"),
        Some(most) if most == least => least.to_string(),
        Some(most) => format!("{least} or {most}"),
    }
}

/// Whether a word asks for help, wherever it stands.
pub(crate) fn is_help(word: &str) -> bool {
    matches!(word, "-h" | "-help" | "--help")
}

/// A flag without its dashes. A lone dash is an argument: it stands for the standard input.
fn flag_body(word: &str) -> Option<&str> {
    let body = word.strip_prefix('-')?;
    let body = body.strip_prefix('-').unwrap_or(body);
    (!body.is_empty()).then_some(body)
}

impl Typed {
    /// Takes one flag and says which switch it was.
    fn take(
        &mut self,
        flag: &'static Flag,
        value: Option<String>,
        next: impl FnOnce() -> Option<String>,
    ) -> Result<Option<&'static str>, Error> {
        let name = flag.name;
        match flag.takes {
            Takes::Nothing => {
                let on = match value.as_deref() {
                    None => true,
                    Some(value) => to_bool(value).ok_or_else(|| Error::BadValue {
                        name,
                        problem: format!("must be true or false, found {value:?}"),
                    })?,
                };
                self.switches.push((name, on));
                Ok(Some(name))
            }
            Takes::Value(placeholder) => {
                let value = value.or_else(next);
                let value = value.ok_or(Error::NoValue { name, placeholder })?;
                self.values.push((name, value));
                Ok(None)
            }
        }
    }

    /// Whether help was asked for.
    pub fn wants_help(&self) -> bool {
        self.help
    }

    /// Whether a switch is on; the last word on it counts.
    pub fn on(&self, name: &str) -> bool {
        self.switch(name).unwrap_or(false)
    }

    /// The last word on a switch, if it was typed.
    pub fn switch(&self, name: &str) -> Option<bool> {
        let typed = self.switches.iter().rev().find(|(typed, _)| *typed == name);
        typed.map(|(_, on)| *on)
    }

    /// The last value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next_back()
    }

    /// Every value of a flag, in order.
    pub fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        let typed = self.values.iter().filter(move |(typed, _)| *typed == name);
        typed.map(|(_, value)| value.as_str())
    }

    /// The flags that were typed with a value, in order, with their values.
    pub fn all_values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// The switches that were typed, in order.
    pub fn all_switches(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.switches.iter().copied()
    }

    /// What follows the flags.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// One argument; empty where there is none.
    pub fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }
}

/// The words that Go's flags take for true and false.
pub fn to_bool(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Group;

    static SHARED: Group = Group {
        title: "Shared",
        flags: &[Flag::value("format", "FORMAT", "")],
    };
    static COMMAND: Command = Command {
        name: "plugin demo",
        arguments: "[TYPE] NAME",
        synopsis: "",
        about: "",
        examples: &[],
        flags: &[
            Flag::switch("detailed", ""),
            Flag::value("args", "WORD", ""),
        ],
        groups: &[&SHARED],
    };

    fn typed(line: &str) -> Typed {
        read(&COMMAND, line.split_whitespace()).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    fn refusal(line: &str) -> String {
        match read(&COMMAND, line.split_whitespace()) {
            Err(error) => error.to_string(),
            Ok(typed) => panic!("{line}: {typed:?}"),
        }
    }

    #[test]
    fn flags_stand_before_and_after_arguments_with_one_dash_or_two() {
        for line in [
            "-detailed -args=--a -args -b -format=json secret tp",
            "--detailed=true --args --a secret --args=-b tp --format json",
            "secret tp -detailed=false -detailed -args=--a -args=-b -format=yaml -format=json",
        ] {
            let typed = typed(line);
            assert!(typed.on("detailed"), "{line}");
            assert_eq!(
                typed.values("args").collect::<Vec<_>>(),
                ["--a", "-b"],
                "{line}"
            );
            assert_eq!(typed.value("format"), Some("json"), "{line}");
            assert_eq!(typed.arguments(), ["secret", "tp"], "{line}");
        }
    }

    #[test]
    fn a_lone_dash_and_what_follows_two_are_arguments() {
        assert_eq!(typed("secret -").arguments(), ["secret", "-"]);
        assert_eq!(typed("-- -detailed -x").arguments(), ["-detailed", "-x"]);
    }

    #[test]
    fn help_is_found_before_anything_is_wrong() {
        assert!(typed("-h").wants_help());
        assert!(typed("secret --help -bogus").wants_help());
    }

    #[test]
    fn a_mistake_is_answered_with_what_to_type() {
        for (line, text) in [
            ("", "Not enough arguments (expected 1 or 2, got 0)"),
            ("a b c", "Too many arguments (expected 1 or 2, got 3)"),
            (
                "-detaild tp",
                "unknown flag -detaild; did you mean -detailed?",
            ),
            ("-zzzzzz tp", "unknown flag -zzzzzz"),
            ("tp -args", "-args needs a value: -args=WORD"),
            (
                "-detailed=x tp",
                "-detailed: must be true or false, found \"x\"",
            ),
        ] {
            assert_eq!(refusal(line), text, "{line}");
        }
    }
}
