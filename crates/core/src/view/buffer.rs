//! Buffered writes that are read through: the overlay of a staged Initialize, and a transaction.

use bytes::Bytes;
use linchpin_engine::Page;
use std::collections::{BTreeMap, BTreeSet};

/// What a buffered write does to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Writes this value.
    Put(Bytes),
    /// Deletes the key.
    Delete,
}

/// Writes that are not committed yet, by key; the last one of a key counts.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    changes: BTreeMap<String, Change>,
    bytes: usize,
}

impl Buffer {
    /// Whether nothing is buffered.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Keys and values together, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Buffers a change.
    pub(crate) fn set(&mut self, key: String, change: Change) {
        self.bytes += size(&key, &change);
        let key_size = key.len();
        if let Some(old) = self.changes.insert(key, change) {
            self.bytes -= key_size + value_size(&old);
        }
    }

    /// The buffered change of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Change> {
        self.changes.get(key)
    }

    /// Everything, by key.
    pub(crate) fn into_changes(self) -> BTreeMap<String, Change> {
        self.changes
    }

    /// Takes everything and leaves the buffer empty.
    pub(crate) fn take(&mut self) -> BTreeMap<String, Change> {
        self.bytes = 0;
        std::mem::take(&mut self.changes)
    }

    /// The keys, with whether each is deleted, below `prefix`.
    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Change)> {
        self.changes
            .range(prefix.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter_map(move |(key, change)| Some((key.strip_prefix(prefix)?, change)))
    }

    /// The folders directly below `prefix` in which something is deleted: whether they still have
    /// anything else decides whether they are listed.
    pub(crate) fn folders_with_deletions(&self, prefix: &str) -> BTreeSet<String> {
        self.below(prefix)
            .filter(|(_, change)| **change == Change::Delete)
            .filter_map(|(rest, _)| rest.split_once('/').map(|(folder, _)| format!("{folder}/")))
            .collect()
    }

    /// The listing of `prefix` with the buffer read through. `stored` is the whole listing below,
    /// without those folders that hold nothing any more.
    pub(crate) fn merge_listing(
        &self,
        prefix: &str,
        stored: Vec<String>,
        page: &Page,
    ) -> Vec<String> {
        let mut names: BTreeSet<String> = stored.into_iter().collect();
        for (rest, change) in self.below(prefix) {
            match (rest.split_once('/'), change) {
                (Some((folder, _)), Change::Put(_)) => {
                    names.insert(format!("{folder}/"));
                }
                (None, Change::Put(_)) if !rest.is_empty() => {
                    names.insert(rest.to_owned());
                }
                (None, Change::Delete) => {
                    names.remove(rest);
                }
                _ => {}
            }
        }
        let limit = if page.limit == 0 {
            usize::MAX
        } else {
            page.limit
        };
        names
            .into_iter()
            .filter(|name| name.as_str() > page.after.as_str())
            .take(limit)
            .collect()
    }
}

fn size(key: &str, change: &Change) -> usize {
    key.len() + value_size(change)
}

fn value_size(change: &Change) -> usize {
    match change {
        Change::Put(value) => value.len(),
        Change::Delete => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut Buffer, key: &str) {
        buffer.set(key.to_owned(), Change::Put(Bytes::from_static(b"v")));
    }

    #[test]
    fn a_listing_shows_what_is_buffered() {
        let mut buffer = Buffer::default();
        put(&mut buffer, "a/new");
        put(&mut buffer, "a/dir/x");
        buffer.set("a/old".to_owned(), Change::Delete);
        let stored = vec!["kept".to_owned(), "old".to_owned()];
        assert_eq!(
            buffer.merge_listing("a/", stored.clone(), &Page::default()),
            ["dir/", "kept", "new"]
        );
        let page = Page {
            after: "dir/".to_owned(),
            limit: 1,
        };
        assert_eq!(buffer.merge_listing("a/", stored, &page), ["kept"]);
    }

    #[test]
    fn its_size_is_that_of_what_it_holds() {
        let mut buffer = Buffer::default();
        put(&mut buffer, "ab");
        put(&mut buffer, "ab");
        assert_eq!(buffer.bytes(), 3);
        buffer.set("ab".to_owned(), Change::Delete);
        assert_eq!(buffer.bytes(), 2);
        buffer.take();
        assert!(buffer.is_empty());
    }

    #[test]
    fn folders_in_which_something_was_deleted_are_named() {
        let mut buffer = Buffer::default();
        buffer.set("d/x".to_owned(), Change::Delete);
        buffer.set("top".to_owned(), Change::Delete);
        assert_eq!(
            buffer.folders_with_deletions(""),
            BTreeSet::from(["d/".to_owned()])
        );
    }
}
