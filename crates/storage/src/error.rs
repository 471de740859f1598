//! Why a store did not do what it was asked.

use linchpin_model::ErrorKind;

use crate::{Key, MAX_KEY_LENGTH, MAX_VALUE_LENGTH};

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A precondition did not hold: someone else wrote this key. Nothing was written; read again and retry.
    #[error("{key} was changed by someone else")]
    Conflict {
        /// The key whose precondition failed.
        key: Key,
    },
    /// The key cannot be stored. Nothing was written.
    #[error("key {key} cannot be stored")]
    KeyRefused {
        /// The refused key.
        key: Key,
        /// What is wrong with it.
        #[source]
        fault: KeyFault,
    },
    /// The value cannot be stored. Nothing was written.
    #[error(
        "the value of {key} has {length} bytes and cannot be stored: the limit is {MAX_VALUE_LENGTH}"
    )]
    ValueTooLarge {
        /// The key it was meant for.
        key: Key,
        /// The value's length in bytes.
        length: usize,
    },
    /// The store itself failed. What a commit would have written may be there or not.
    #[error("the store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What kind of failure this is for the layers above.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::KeyRefused { .. } => ErrorKind::InvalidRequest,
            Self::ValueTooLarge { .. } => ErrorKind::TooLarge,
            Self::Conflict { .. } => ErrorKind::Unavailable,
            Self::Store(_) => ErrorKind::Internal,
        }
    }

    /// Whether it is certain that a commit which answered this wrote nothing.
    #[must_use]
    pub fn wrote_nothing(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

/// What is wrong with a key that someone wants to write (storage-format §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// It has no characters.
    #[error("it is empty")]
    Empty,
    /// It is longer than [`MAX_KEY_LENGTH`] bytes.
    #[error("it is longer than {MAX_KEY_LENGTH} bytes")]
    TooLong,
    /// It begins with `/`.
    #[error("it begins with a slash")]
    LeadingSlash,
    /// It contains a control character or white space other than U+0020.
    #[error("it contains a character that cannot be printed")]
    Unprintable,
}
