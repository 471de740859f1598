//! Why the barrier did not do what it was asked.

use linchpin_model::ErrorKind;
use linchpin_storage::{self as storage, Key, Prefix};

/// Why the barrier did not do what it was asked. No text holds a key, a plaintext or a ciphertext.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no keys in memory.
    #[error("server is sealed")]
    Sealed,
    /// There is nothing to unseal.
    #[error("the storage is not initialised")]
    NotInitialised,
    /// There is something already where a new storage would be written.
    #[error("the storage is already initialised")]
    AlreadyInitialised,
    /// The key given to unseal with is not the one. Which share was wrong cannot be known.
    #[error("the unseal key does not open this storage")]
    WrongUnsealKey,
    /// The keyring holds another root key than the one that opened it (storage-format §2.7).
    #[error("the keyring belongs to another root key")]
    RootKeyMismatch,
    /// The record was changed, or moved here from another key.
    #[error("entry {key} does not authenticate under key term {term}")]
    Tampered {
        /// Where it is stored.
        key: Key,
        /// The term that it names.
        term: u32,
    },
    /// The keyring has no key of the term that the record names. The entry exists; it is not absent.
    #[error("entry {key} was written under key term {term}, which the keyring does not have")]
    UnknownTerm {
        /// Where it is stored.
        key: Key,
        /// The term that it names.
        term: u32,
    },
    /// What is stored is too short for a record or of an unknown version.
    #[error("entry {key} is not a barrier record")]
    NotARecord {
        /// Where it is stored.
        key: Key,
    },
    /// An entry that the barrier itself needs is not what it should be.
    #[error("entry {key} cannot be understood")]
    Format {
        /// Where it is stored.
        key: Key,
        /// What is wrong with it.
        #[source]
        source: linchpin_formats::Error,
    },
    /// The keyring has no key to encrypt with.
    #[error("the keyring is empty")]
    EmptyKeyring,
    /// A precondition did not hold: someone else wrote this key. Nothing was written; read again and retry.
    #[error("{key} was changed by someone else")]
    Conflict {
        /// The key whose precondition failed.
        key: Key,
    },
    /// The key is not part of the encrypted view.
    #[error("{key} lies outside the barrier")]
    OutsideBarrier {
        /// The refused key.
        key: Key,
    },
    /// The cipher refused: a key of the wrong length, or a value of many gigabytes.
    #[error("the cipher refused")]
    Cipher(#[source] linchpin_crypto::Error),
    /// The store did not answer a read.
    #[error("read {key}")]
    Read {
        /// What was read.
        key: Key,
        /// Why not.
        #[source]
        source: storage::Error,
    },
    /// The store did not answer a listing.
    #[error("list {prefix}")]
    List {
        /// What was listed.
        prefix: Prefix,
        /// Why not.
        #[source]
        source: storage::Error,
    },
    /// The store did not take a batch. Whether it was written: [`Error::wrote_nothing`].
    #[error("write a batch")]
    Commit(#[source] storage::Error),
}

impl Error {
    /// What kind of failure this is for the layers above.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sealed | Self::NotInitialised | Self::Conflict { .. } => ErrorKind::Unavailable,
            Self::AlreadyInitialised | Self::WrongUnsealKey => ErrorKind::InvalidRequest,
            Self::Read { source, .. } | Self::List { source, .. } | Self::Commit(source) => {
                source.kind()
            }
            _ => ErrorKind::Internal,
        }
    }

    /// Whether it is certain that a commit which answered this wrote nothing.
    #[must_use]
    pub fn wrote_nothing(&self) -> bool {
        match self {
            Self::Commit(source) => source.wrote_nothing(),
            _ => true,
        }
    }
}

impl From<storage::Error> for Error {
    /// The answer to a batch: a conflict is part of the barrier's own contract, the rest is the store's.
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Conflict { key } => Self::Conflict { key },
            other => Self::Commit(other),
        }
    }
}
