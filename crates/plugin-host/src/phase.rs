//! The storage of an instance between its construction and Initialize: reads only
//! (plugin-protocol §2.4).

use linchpin_engine::{
    Access, BoxFuture, Context, Page, StorageEntry, StorageError, StorageView, Transaction,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A view that refuses writes until it is opened. One per Setup, so that a respawned instance is
/// held to the same rule as a new one.
pub(crate) struct SetupView {
    inner: Arc<dyn StorageView>,
    writable: AtomicBool,
}

impl SetupView {
    pub(crate) fn new(inner: Arc<dyn StorageView>) -> Self {
        Self {
            inner,
            writable: AtomicBool::new(false),
        }
    }

    /// Initialize begins.
    pub(crate) fn open(&self) {
        self.writable.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.writable.load(Ordering::Acquire)
    }
}

impl StorageView for SetupView {
    fn get<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        self.inner.get(ctx, key)
    }

    fn list<'a>(
        &'a self,
        ctx: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        self.inner.list(ctx, prefix, page)
    }

    fn put<'a>(
        &'a self,
        ctx: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        if self.is_open() {
            self.inner.put(ctx, entry)
        } else {
            Box::pin(async { Err(StorageError::Setup) })
        }
    }

    fn delete<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        if self.is_open() {
            self.inner.delete(ctx, key)
        } else {
            Box::pin(async { Err(StorageError::Setup) })
        }
    }

    fn begin<'a>(
        &'a self,
        ctx: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        // Plugins begin one for reads as well; only its writes are refused.
        let access = if self.is_open() {
            access
        } else {
            Access::ReadOnly
        };
        self.inner.begin(ctx, access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Nothing;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn nothing_is_written_before_initialize() {
        let view = SetupView::new(Arc::new(Nothing));
        let ctx = Context::internal(CancellationToken::new());
        let entry = || StorageEntry {
            key: "k".to_owned(),
            value: "v".into(),
            seal_wrap: false,
        };
        let text = "cannot write to storage during setup";
        let refused = view.put(&ctx, entry()).await.unwrap_err();
        assert_eq!(refused.to_string(), text);
        let refused = view.delete(&ctx, "k").await.unwrap_err();
        assert_eq!(refused.to_string(), text);
        assert!(view.get(&ctx, "k").await.unwrap().is_none());
        view.open();
        view.put(&ctx, entry()).await.unwrap();
        view.delete(&ctx, "k").await.unwrap();
    }
}
