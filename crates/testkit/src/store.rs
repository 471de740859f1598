//! What a server stores, byte for byte, as its build with fault injection shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Every physical key with the bytes under it. Two of them are equal when every byte is; a record that was written again differs, because
/// it has another nonce, even when its content is the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Store(BTreeMap<String, Vec<u8>>);

impl Store {
    /// Reads lines of key and value, each in hex.
    pub(crate) fn parse(text: &str) -> Self {
        let entry = |line: &str| {
            let (key, value) = line.split_once(' ')?;
            Some((String::from_utf8(unhex(key)?).ok()?, unhex(value)?))
        };
        let entries = text
            .lines()
            .map(|line| entry(line).unwrap_or_else(|| panic!("no line of a store: {line:?}")));
        Self(entries.collect())
    }

    /// The keys.
    pub fn keys(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The bytes under a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// Every key with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let entries = self.0.iter();
        entries.map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// The same without the keys below `prefix`.
    #[must_use]
    pub fn without(&self, prefix: &str) -> Self {
        let kept = self.0.iter().filter(|(key, _)| !key.starts_with(prefix));
        Self(
            kept.map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    }

    /// The keys whose bytes differ, and those that only one of the two has.
    pub fn differences<'s>(&'s self, other: &'s Self) -> BTreeSet<&'s str> {
        let keys = self.0.keys().chain(other.0.keys());
        keys.map(String::as_str)
            .filter(|key| self.get(key) != other.get(key))
            .collect()
    }
}

/// The keys only: values are long and say nothing to a person.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stores_are_compared_by_their_bytes() {
        let before = Store::parse("612f62 0001\n63 \n");
        assert_eq!(before.keys(), BTreeSet::from(["a/b", "c"]));
        assert_eq!(before.get("a/b"), Some([0, 1].as_slice()));
        let after = Store::parse("612f62 0002\n64 ff\n");
        assert_eq!(
            before.differences(&after),
            BTreeSet::from(["a/b", "c", "d"])
        );
        assert_eq!(before.differences(&before), BTreeSet::new());
        assert_eq!(before.without("a/"), Store::parse("63 "));
    }
}
