//! A transaction on a view: a recorded read set, buffered writes, one commit (design §6).
//!
//! A read records the stored bytes; the commit requires that they are unchanged, so what was
//! decided on them still holds. A listing is not part of the read set.

use super::instance_view::{InstanceView, check_write};
use super::{Buffer, Change};
use bytes::Bytes;
use linchpin_barrier::Version;
use linchpin_engine::{Access, BoxFuture, Page, StorageEntry, StorageError, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a commit needs.
pub(super) struct Parts {
    /// What must be unchanged: full keys with their stored bytes.
    pub(super) unchanged: Vec<(String, Option<Version>)>,
    /// What is written.
    pub(super) changes: Buffer,
}

/// The transaction. Dropping it rolls it back.
pub(super) struct ViewTransaction {
    view: Arc<InstanceView>,
    access: Access,
    reads: BTreeMap<String, Option<Version>>,
    /// Keys and values that were read, in bytes: the read set keeps as much.
    read: usize,
    changes: Buffer,
}

/// The most that one transaction reads, and the most that it writes, in bytes.
const MAX_BYTES: usize = 64 << 20;

fn within(what: &'static str, size: usize) -> Result<(), StorageError> {
    if size > MAX_BYTES {
        return Err(StorageError::TooLarge {
            what,
            size,
            limit: MAX_BYTES,
        });
    }
    Ok(())
}

impl ViewTransaction {
    pub(super) fn new(view: Arc<InstanceView>, access: Access) -> Self {
        Self {
            view,
            access,
            reads: BTreeMap::new(),
            read: 0,
            changes: Buffer::default(),
        }
    }

    fn change(&mut self, key: String, change: Change) -> Result<(), StorageError> {
        check_write(&self.view.full(&key), &key, &change)?;
        if self.access == Access::ReadOnly {
            return Err(StorageError::ReadOnly);
        }
        self.changes.set(key, change);
        within("transaction's writes", self.changes.bytes())
    }

    async fn value(&mut self, key: &str) -> Result<Option<Bytes>, StorageError> {
        match self.changes.get(key) {
            Some(Change::Put(value)) => Ok(Some(value.clone())),
            Some(Change::Delete) => Ok(None),
            None => {
                let value = self.view.read_for(key, &mut self.reads).await?;
                self.read += key.len() + value.as_ref().map_or(0, Bytes::len);
                within("transaction's reads", self.read)?;
                Ok(value)
            }
        }
    }

    async fn names(&mut self, prefix: &str, page: Page) -> Result<Vec<String>, StorageError> {
        let mut stored = self.view.list_for(prefix).await?;
        for folder in self.changes.folders_with_deletions(prefix) {
            let left = self.view.keys_below(&format!("{prefix}{folder}")).await?;
            if left
                .iter()
                .all(|key| self.changes.get(key) == Some(&Change::Delete))
            {
                stored.retain(|name| *name != folder);
            }
        }
        Ok(self.changes.merge_listing(prefix, stored, &page))
    }
}

impl Transaction for ViewTransaction {
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move {
            let value = self.value(key).await?;
            Ok(value.map(|value| StorageEntry {
                key: key.to_owned(),
                value,
                seal_wrap: false,
            }))
        })
    }

    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(self.names(prefix, page))
    }

    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move { self.change(entry.key, Change::Put(entry.value)) })
    }

    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move { self.change(key.to_owned(), Change::Delete) })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        let Self {
            view,
            reads,
            changes,
            ..
        } = *self;
        let parts = Parts {
            unchanged: reads.into_iter().collect(),
            changes,
        };
        Box::pin(async move { view.commit_transaction(parts).await })
    }
}
