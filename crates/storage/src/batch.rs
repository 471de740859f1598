//! A batch: what is written together, and what must be true for it to be written.

use std::fmt;

use bytes::Bytes;

use crate::{Error, Key, MAX_VALUE_LENGTH};

/// The position of a commit in the order of all commits of a store. Later commits have greater indexes; gaps mean
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeIndex(pub u64);

impl fmt::Display for ChangeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What must hold at the moment a batch takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The stored bytes of the key are exactly these.
    Equals {
        /// The key.
        key: Key,
        /// Its bytes, as a read returned them.
        stored: Bytes,
    },
    /// Nothing is stored under the key.
    Absent {
        /// The key.
        key: Key,
    },
}

impl Precondition {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Equals { key, .. } | Self::Absent { key } => key,
        }
    }

    /// Whether it holds when the key's stored bytes are `current`.
    #[must_use]
    pub fn holds(&self, current: Option<&Bytes>) -> bool {
        match (self, current) {
            (Self::Equals { stored, .. }, Some(current)) => stored == current,
            (Self::Absent { .. }, None) => true,
            _ => false,
        }
    }
}

/// One change of one key.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Insert or overwrite.
    Put {
        /// The key.
        key: Key,
        /// Its new bytes; may be empty.
        value: Bytes,
    },
    /// Remove; nothing happens when it is absent.
    Delete {
        /// The key.
        key: Key,
    },
}

impl Write {
    /// The key that is changed.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({key}, {} bytes)", value.len()),
            Self::Delete { key } => write!(f, "Delete({key})"),
        }
    }
}

/// Writes that take effect together, if all preconditions hold. When a key is written twice, the later write wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    preconditions: Vec<Precondition>,
    writes: Vec<Write>,
}

impl Batch {
    /// No writes, no preconditions. Committing this checks nothing and changes nothing, and succeeds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores `value` under `key`.
    pub fn put(&mut self, key: Key, value: impl Into<Bytes>) -> &mut Self {
        let value = value.into();
        self.writes.push(Write::Put { key, value });
        self
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: Key) -> &mut Self {
        self.writes.push(Write::Delete { key });
        self
    }

    /// Requires that the stored bytes of `key` are still `stored`.
    pub fn if_equals(&mut self, key: Key, stored: impl Into<Bytes>) -> &mut Self {
        let stored = stored.into();
        self.preconditions
            .push(Precondition::Equals { key, stored });
        self
    }

    /// Requires that nothing is stored under `key`.
    pub fn if_absent(&mut self, key: Key) -> &mut Self {
        self.preconditions.push(Precondition::Absent { key });
        self
    }

    /// Everything that must hold.
    #[must_use]
    pub fn preconditions(&self) -> &[Precondition] {
        &self.preconditions
    }

    /// Everything that is written, in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes themselves, for a store that keeps the bytes.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Whether nothing is written and nothing required.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.preconditions.is_empty()
    }

    /// Whether everything in the batch can be stored at all. Every store calls this first.
    ///
    /// # Errors
    /// [`Error::KeyRefused`] or [`Error::ValueTooLarge`], naming the first key that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        for write in &self.writes {
            let key = write.key();
            key.check().map_err(|fault| Error::KeyRefused {
                key: key.clone(),
                fault,
            })?;
            if let Write::Put { value, .. } = write
                && value.len() > MAX_VALUE_LENGTH
            {
                return Err(Error::ValueTooLarge {
                    key: key.clone(),
                    length: value.len(),
                });
            }
        }
        Ok(())
    }
}
