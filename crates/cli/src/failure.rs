//! How a command ends when it does not succeed: the exit code and the text.

use crate::session::CallError;

/// The command was typed wrongly, or names what is not there on this side.
pub(crate) const USAGE: u8 = 1;
/// The server refused, or did not answer.
pub(crate) const REFUSED: u8 = 2;

/// An end that is no success.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// What is printed; empty = everything has been said.
    pub(crate) text: String,
    /// Whether the text is what was asked for, and goes to the standard output.
    pub(crate) is_answer: bool,
}

impl Failure {
    /// Exit code 1.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            text: text.into(),
            is_answer: false,
        }
    }

    /// Exit code 2.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self {
            code: REFUSED,
            ..Self::usage(text)
        }
    }

    /// Exit code 2, with everything said already.
    pub(crate) fn said() -> Self {
        Self::refused("")
    }

    /// The end of a command that was asked to print the call in place of making it.
    fn answer(text: String) -> Self {
        Self {
            code: 0,
            text,
            is_answer: true,
        }
    }
}

impl CallError {
    /// The failure of a command that was doing `what`, such as `Error reading plugin named tp`.
    pub(crate) fn during(self, what: impl std::fmt::Display) -> Failure {
        match self {
            Self::Printed(line) => Failure::answer(line),
            other => Failure::refused(format!("{what}: {other}")),
        }
    }
}

impl From<crate::grammar::Error> for Failure {
    fn from(error: crate::grammar::Error) -> Self {
        Self::usage(error.to_string())
    }
}
