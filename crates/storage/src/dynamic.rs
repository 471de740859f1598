//! [`Storage`] with its type erased. The barrier holds an `Arc<dyn DynStorage>`, so that nothing above it is compiled
//! once per store.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::{Batch, ChangeIndex, Key, Listing, Page, Prefix, Result, Storage};

/// A future on the heap that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The object-safe twin of [`Storage`], with the same contract. Every [`Storage`] is one; do not implement it by hand.
pub trait DynStorage: Send + Sync + 'static {
    /// As [`Storage::get`].
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// As [`Storage::list`].
    fn list<'a>(&'a self, prefix: &'a Prefix, page: Page) -> BoxFuture<'a, Result<Listing>>;

    /// As [`Storage::commit`].
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<ChangeIndex>>;
}

impl<S: Storage> DynStorage for S {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(Storage::get(self, key))
    }

    fn list<'a>(&'a self, prefix: &'a Prefix, page: Page) -> BoxFuture<'a, Result<Listing>> {
        Box::pin(Storage::list(self, prefix, page))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<ChangeIndex>> {
        Box::pin(Storage::commit(self, batch))
    }
}
