//! The barrier as mounts use it: text keys, and the storage errors that engines know.

use crate::view::Change;
use bytes::Bytes;
use linchpin_barrier::{Barrier, Batch, Error, Key, Prefix, Version};
use linchpin_engine::{Page, StorageError};
use std::sync::Arc;

/// What a read finds.
pub(crate) struct Stored {
    /// The plaintext.
    pub(crate) value: Bytes,
    /// Which writing of the entry it is.
    pub(crate) token: Version,
}

/// The barrier. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Store {
    barrier: Arc<Barrier>,
}

impl Store {
    /// The store over `barrier`.
    pub(crate) fn new(barrier: Arc<Barrier>) -> Self {
        Self { barrier }
    }

    /// Reads one entry.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Stored>, StorageError> {
        let entry = self
            .barrier
            .get(&Key::new(key))
            .await
            .map_err(|e| failed("read", e))?;
        Ok(entry.map(|e| Stored {
            value: e.value,
            token: e.version,
        }))
    }

    /// The immediate children of `prefix`, which ends in `/`.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        page: &Page,
    ) -> Result<Vec<String>, StorageError> {
        let limit = if page.limit == 0 {
            usize::MAX
        } else {
            page.limit
        };
        let found = self
            .barrier
            .list(&Prefix::new(prefix), linchpin_barrier::Page::all())
            .await;
        let names = found.map_err(|e| failed("list", e))?.names;
        let after = page.after.as_str();
        Ok(names
            .into_iter()
            .filter(|name| name.as_str() > after)
            .take(limit)
            .collect())
    }

    /// Every key below `prefix`, in full.
    pub(crate) async fn keys_below(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let (mut folders, mut keys) = (vec![prefix.to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for name in self.list(&folder, &Page::default()).await? {
                let full = format!("{folder}{name}");
                if name.ends_with('/') {
                    folders.push(full)
                } else {
                    keys.push(full)
                }
            }
        }
        Ok(keys)
    }

    /// Commits `changes` together, if every entry of `unchanged` still is as it was read.
    pub(crate) async fn commit_changes(
        &self,
        unchanged: &[(String, Option<Version>)],
        changes: Vec<(String, Change)>,
    ) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        for (key, version) in unchanged {
            batch.if_as_read(Key::new(key.as_str()), version.as_ref());
        }
        for (key, change) in changes {
            match change {
                Change::Put(value) => batch.put(Key::new(key), value),
                Change::Delete => batch.delete(Key::new(key)),
            };
        }
        self.barrier
            .commit(batch)
            .await
            .map(|_| ())
            .map_err(|e| failed("write", e))
    }
}

fn failed(what: &str, error: Error) -> StorageError {
    match error {
        Error::Sealed => StorageError::Sealed,
        Error::Conflict { .. } => StorageError::Conflict,
        other => StorageError::Failed {
            text: format!("{what} storage"),
            source: Some(Arc::new(other)),
        },
    }
}
