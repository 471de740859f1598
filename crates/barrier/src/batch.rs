//! What is read and written through the barrier: plaintext entries, and batches with preconditions.

use std::fmt;

use bytes::Bytes;
use linchpin_storage::Key;

/// An entry as it was read. `Debug` does not show its value.
#[derive(Clone)]
pub struct Entry {
    /// The plaintext. Clones share it; it is wiped when the last one is dropped.
    pub value: Bytes,
    /// Which writing of the entry this is.
    pub version: Version,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes)", self.value.len())
    }
}

/// One writing of an entry. Writing the same plaintext again makes another version, because every record has a fresh
/// nonce; so equal versions mean "not written since".
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(pub(crate) Bytes);

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version")
    }
}

/// What a batch requires of a key.
#[derive(Clone, Debug)]
pub(crate) enum Expectation {
    Unchanged(Version),
    Absent,
}

/// Writes that take effect together, if all preconditions hold. When a key is written twice, the later write wins.
/// `Debug` shows keys, not values.
#[derive(Clone, Default)]
pub struct Batch {
    pub(crate) expectations: Vec<(Key, Expectation)>,
    /// `None` deletes.
    pub(crate) writes: Vec<(Key, Option<Bytes>)>,
}

impl Batch {
    /// No writes, no preconditions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores the plaintext `value` under `key`.
    pub fn put(&mut self, key: Key, value: impl Into<Bytes>) -> &mut Self {
        self.writes.push((key, Some(value.into())));
        self
    }

    /// Removes `key`; nothing happens when it is absent.
    pub fn delete(&mut self, key: Key) -> &mut Self {
        self.writes.push((key, None));
        self
    }

    /// Requires that `key` was not written or removed since `version` was read.
    pub fn if_unchanged(&mut self, key: Key, version: &Version) -> &mut Self {
        let expectation = Expectation::Unchanged(version.clone());
        self.expectations.push((key, expectation));
        self
    }

    /// Requires that nothing is stored under `key`.
    pub fn if_absent(&mut self, key: Key) -> &mut Self {
        self.expectations.push((key, Expectation::Absent));
        self
    }

    /// Requires that `key` still is as a read found it: this version, or absent.
    pub fn if_as_read(&mut self, key: Key, read: Option<&Version>) -> &mut Self {
        match read {
            Some(version) => self.if_unchanged(key, version),
            None => self.if_absent(key),
        }
    }

    /// Whether nothing is written and nothing required.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.expectations.is_empty()
    }

    /// The keys that are written or removed, in order.
    pub fn written_keys(&self) -> impl Iterator<Item = &Key> {
        self.writes.iter().map(|(key, _)| key)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&Key> = self.written_keys().collect();
        f.debug_struct("Batch")
            .field("expectations", &self.expectations)
            .field("written", &keys)
            .finish()
    }
}
