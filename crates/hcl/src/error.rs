//! What can be wrong with a source text, each with where.

use crate::tree::Position;

/// Why a text is not HCL 1 or JSON, or a value not what its reader wanted. Positions print as `line:column`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is larger than [`crate::MAX_SOURCE`].
    #[error("the text is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Objects and lists nest deeper than [`crate::MAX_DEPTH`].
    #[error("{at}: nested deeper than {limit} levels")]
    TooDeep {
        /// Where the level too many opens.
        at: Position,
        /// The limit in levels.
        limit: usize,
    },
    /// A character that begins no token.
    #[error("{at}: unexpected character {found:?}")]
    UnexpectedCharacter {
        /// Where it stands.
        at: Position,
        /// The character.
        found: char,
    },
    /// A string without its closing quote, or with a line break outside of `${…}`.
    #[error("{at}: string is not terminated")]
    UnterminatedString {
        /// Where the string begins.
        at: Position,
    },
    /// A `/* … ` without `*/`.
    #[error("{at}: comment is not terminated")]
    UnterminatedComment {
        /// Where the comment begins.
        at: Position,
    },
    /// A heredoc whose closing line is missing.
    #[error("{at}: heredoc is not terminated: no line with only {marker:?}")]
    UnterminatedHeredoc {
        /// Where the heredoc begins.
        at: Position,
        /// The word that should stand alone on a line.
        marker: String,
    },
    /// `<<` that is not followed by a marker and a line break.
    #[error("{at}: heredoc needs a marker and a line break after `<<`")]
    BadHeredoc {
        /// Where the heredoc begins.
        at: Position,
    },
    /// A backslash sequence that HCL does not have, or one that names no character.
    #[error("{at}: invalid escape sequence in string")]
    BadEscape {
        /// Where the backslash stands.
        at: Position,
    },
    /// A number that is neither decimal, octal, hexadecimal nor floating point.
    #[error("{at}: {literal:?} is not a number")]
    BadNumber {
        /// Where it begins.
        at: Position,
        /// The number as written.
        literal: String,
    },
    /// Another token than the grammar allows here.
    #[error("{at}: expected {wanted}, found {found}")]
    Expected {
        /// Where the token stands.
        at: Position,
        /// What could stand there.
        wanted: &'static str,
        /// What stands there.
        found: String,
    },
    /// One key assigned twice in one body.
    #[error("{at}: {key:?} was already set at {first}; each argument can only be set once")]
    DuplicateKey {
        /// Where it is set again.
        at: Position,
        /// The key.
        key: String,
        /// Where it was set first.
        first: Position,
    },
    /// The text begins with `{` and is not valid JSON.
    #[error("{at}: invalid JSON: {reason}")]
    Json {
        /// Where the JSON reader stopped.
        at: Position,
        /// What it said.
        reason: String,
    },
    /// A block with more or fewer labels than its reader wants, or an argument where a block should be.
    #[error("{at}: {name:?} must be a block with {labels} label(s)")]
    WrongShape {
        /// Where it stands.
        at: Position,
        /// The block's name.
        name: String,
        /// How many labels it should have.
        labels: usize,
    },
}

impl Error {
    /// Where the mistake is; `None` when it concerns the text as a whole.
    pub fn position(&self) -> Option<Position> {
        match self {
            Error::TooLarge { .. } => None,
            Error::TooDeep { at, .. }
            | Error::UnexpectedCharacter { at, .. }
            | Error::UnterminatedString { at }
            | Error::UnterminatedComment { at }
            | Error::UnterminatedHeredoc { at, .. }
            | Error::BadHeredoc { at }
            | Error::BadEscape { at }
            | Error::BadNumber { at, .. }
            | Error::Expected { at, .. }
            | Error::DuplicateKey { at, .. }
            | Error::Json { at, .. }
            | Error::WrongShape { at, .. } => Some(*at),
        }
    }
}
