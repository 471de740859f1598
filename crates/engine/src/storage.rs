//! The storage that an engine sees: its own part of the barrier, and nothing else.

use crate::{BoxFuture, Context};
use bytes::Bytes;
use std::sync::Arc;

/// One entry. Keys are relative to the view.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageEntry {
    /// The key.
    pub key: String,
    /// The value, in clear.
    pub value: Bytes,
    /// A request for extra encryption by seals that can.
    pub seal_wrap: bool,
}

/// Values are secrets: only the length is shown.
impl std::fmt::Debug for StorageEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StorageEntry({}, {} bytes)", self.key, self.value.len())
    }
}

/// Which part of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Only names that sort strictly after this one.
    pub after: String,
    /// At most so many; 0 = all.
    pub limit: usize,
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only; a write fails.
    ReadOnly,
    /// Reads and writes, committed together.
    ReadWrite,
}

/// Why storage refused or failed. Plugins recognise some texts (plugin-protocol §3.4).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A write where only reads are allowed.
    #[error("cannot write to readonly storage")]
    ReadOnly,
    /// A write between construction and Initialize.
    #[error("cannot write to storage during setup")]
    Setup,
    /// A key with `..`.
    #[error("relative paths not supported")]
    RelativePath,
    /// A key that no store takes.
    #[error("storage key {0:?} is not allowed: {1}")]
    Key(String, &'static str),
    /// A key or value over its limit.
    #[error("{what} of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// `key` or `value`.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Something that the transaction read has changed since: run it again.
    #[error("transaction conflicts with another write")]
    Conflict,
    /// The transaction has ended already.
    #[error("transaction is already committed or rolled back")]
    Ended,
    /// The instance was replaced, and the key was changed since: the late write is not applied.
    #[error("write refused: this instance was replaced and the entry has changed since")]
    Replaced,
    /// The server is sealed.
    #[error("Vault is sealed")]
    Sealed,
    /// The caller is gone or the time is over.
    #[error("context canceled")]
    Cancelled,
    /// The barrier or the store failed.
    #[error("{text}")]
    Failed {
        /// What was being done.
        text: String,
        /// Why it failed.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
}

/// One mount's storage.
///
/// Reads see what was committed before they began; a write is durable when it returns. May be
/// called concurrently. A future that is dropped leaves a write either done or not done, never
/// half.
pub trait StorageView: Send + Sync + 'static {
    /// The entry, or `None`.
    fn get<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>>;

    /// The immediate children of `prefix` (empty, or ending in `/`), relative to it, sorted, each
    /// once; one that has children ends with `/`.
    fn list<'a>(
        &'a self,
        ctx: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>>;

    /// Writes the entry.
    fn put<'a>(
        &'a self,
        ctx: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>>;

    /// Deletes the entry; that there is none is not an error.
    fn delete<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>>;

    /// Begins a transaction: snapshot reads, buffered writes, one commit (design §6).
    fn begin<'a>(
        &'a self,
        ctx: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>>;
}

/// A transaction on a [`StorageView`]. Dropping it rolls it back.
pub trait Transaction: Send {
    /// As [`StorageView::get`], and sees the transaction's own writes.
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>>;
    /// As [`StorageView::list`], and sees the transaction's own writes.
    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>>;
    /// Buffers a write.
    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>>;
    /// Buffers a deletion.
    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>>;
    /// Commits everything or nothing; [`StorageError::Conflict`] when something that it read has
    /// changed.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>>;
}

/// How often [`transact`] tries again after a conflict.
const ATTEMPTS: usize = 16;

/// Read-modify-write: runs `body` in a transaction and commits, and again when something that it
/// read has changed meanwhile. `body` therefore has no other effects.
///
/// # Errors
/// What `body` or the storage answers; [`StorageError::Conflict`] after sixteen conflicts.
pub async fn transact<T, E, F>(view: &dyn StorageView, ctx: &Context, mut body: F) -> Result<T, E>
where
    E: From<StorageError>,
    F: for<'t> FnMut(&'t mut dyn Transaction) -> BoxFuture<'t, Result<T, E>>,
{
    for _ in 0..ATTEMPTS {
        let mut tx = view.begin(ctx, Access::ReadWrite).await?;
        let out = body(tx.as_mut()).await?;
        match tx.commit().await {
            Ok(()) => return Ok(out),
            Err(StorageError::Conflict) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(StorageError::Conflict.into())
}
