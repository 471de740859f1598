//! `pb.Storage`: a mount's storage as its plugin sees it (plugin-protocol §3.4).
//!
//! Storage errors go into the reply's `err` as their text, with gRPC status OK: plugins know them by that text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use linchpin_engine::{Access, Context, Page, StorageEntry, StorageError, StorageView};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::transactions::{Transactions, ended};
use crate::proto::pb;

type Reply<T> = Result<T, Status>;

/// The storage of one instance, on one connection of the plugin.
#[derive(Clone)]
pub(super) struct StorageService {
    storage: Arc<dyn StorageView>,
    asks_transactional: Arc<AtomicBool>,
    cancel: CancellationToken,
    session: Arc<Session>,
}

/// One connection. What it has left open is rolled back when its last call has ended.
struct Session {
    transactions: Arc<Transactions>,
    owner: u64,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.transactions.end_of(self.owner);
    }
}

impl StorageService {
    pub(super) fn new(
        storage: Arc<dyn StorageView>,
        transactions: Arc<Transactions>,
        asks_transactional: Arc<AtomicBool>,
        cancel: CancellationToken,
    ) -> Self {
        let owner = transactions.new_owner();
        Self {
            storage,
            asks_transactional,
            cancel,
            session: Arc::new(Session {
                transactions,
                owner,
            }),
        }
    }

    /// Storage is not tied to a request: plugins use it from background tasks, too.
    fn context(&self) -> Context {
        Context::internal(self.cancel.clone())
    }

    async fn begin(&self, access: Access) -> Reply<pb::StorageBeginTxReply> {
        let Session {
            transactions,
            owner,
        } = &*self.session;
        let txn = transactions.begin(&self.context(), *owner, access).await?;
        Ok(pb::StorageBeginTxReply {
            txn,
            err: String::new(),
        })
    }

    async fn page(&self, prefix: &str, page: Page, txn: &str) -> Reply<pb::StorageListReply> {
        let listed = if txn.is_empty() {
            self.storage.list(&self.context(), prefix, page).await
        } else {
            let shared = self.session.transactions.find(txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.list(prefix, page).await
        };
        Ok(match listed {
            Ok(keys) => pb::StorageListReply {
                keys,
                err: String::new(),
            },
            Err(error) => pb::StorageListReply {
                keys: Vec::new(),
                err: error.to_string(),
            },
        })
    }
}

/// The `err` of a reply without anything else in it.
fn text(outcome: Result<(), StorageError>) -> String {
    outcome
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

/// The methods of the service.
impl StorageService {
    pub(super) async fn list(&self, args: pb::StorageListArgs) -> Reply<pb::StorageListReply> {
        self.page(&args.prefix, Page::default(), &args.txn).await
    }

    pub(super) async fn list_page(
        &self,
        args: pb::StorageListPageArgs,
    ) -> Reply<pb::StorageListReply> {
        let page = Page {
            after: args.after,
            limit: usize::try_from(args.limit).unwrap_or(0),
        };
        self.page(&args.prefix, page, &args.txn).await
    }

    pub(super) async fn get(&self, args: pb::StorageGetArgs) -> Reply<pb::StorageGetReply> {
        let found = if args.txn.is_empty() {
            self.storage.get(&self.context(), &args.key).await
        } else {
            let shared = self.session.transactions.find(&args.txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.get(&args.key).await
        };
        Ok(match found {
            Ok(entry) => pb::StorageGetReply {
                entry: entry.map(|entry| pb::StorageEntry {
                    key: entry.key,
                    value: entry.value,
                    seal_wrap: entry.seal_wrap,
                }),
                err: String::new(),
            },
            Err(error) => pb::StorageGetReply {
                entry: None,
                err: error.to_string(),
            },
        })
    }

    pub(super) async fn put(&self, args: pb::StoragePutArgs) -> Reply<pb::StoragePutReply> {
        let Some(entry) = args.entry else {
            return Err(Status::invalid_argument("entry is missing"));
        };
        let entry = StorageEntry {
            key: entry.key,
            value: entry.value,
            seal_wrap: entry.seal_wrap,
        };
        let put = if args.txn.is_empty() {
            self.storage.put(&self.context(), entry).await
        } else {
            let shared = self.session.transactions.find(&args.txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.put(entry).await
        };
        Ok(pb::StoragePutReply { err: text(put) })
    }

    pub(super) async fn delete(
        &self,
        args: pb::StorageDeleteArgs,
    ) -> Reply<pb::StorageDeleteReply> {
        let deleted = if args.txn.is_empty() {
            self.storage.delete(&self.context(), &args.key).await
        } else {
            let shared = self.session.transactions.find(&args.txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.delete(&args.key).await
        };
        Ok(pb::StorageDeleteReply { err: text(deleted) })
    }

    pub(super) async fn is_transactional(
        &self,
        _: pb::Empty,
    ) -> Reply<pb::StorageIsTransactionalReply> {
        self.asks_transactional.store(true, Ordering::Relaxed);
        Ok(pb::StorageIsTransactionalReply {
            transactional: true,
        })
    }

    pub(super) async fn begin_read_only_tx(&self, _: pb::Empty) -> Reply<pb::StorageBeginTxReply> {
        self.begin(Access::ReadOnly).await
    }

    pub(super) async fn begin_tx(&self, _: pb::Empty) -> Reply<pb::StorageBeginTxReply> {
        self.begin(Access::ReadWrite).await
    }

    pub(super) async fn commit(
        &self,
        args: pb::StorageCommitTxArgs,
    ) -> Reply<pb::StorageCommitTxReply> {
        let transaction = self.session.transactions.take(&args.txn).await?;
        let committed = transaction.commit().await;
        Ok(pb::StorageCommitTxReply {
            err: text(committed),
        })
    }

    pub(super) async fn rollback(
        &self,
        args: pb::StorageRollbackTxArgs,
    ) -> Reply<pb::StorageRollbackTxReply> {
        let transaction = self.session.transactions.take(&args.txn).await?;
        drop(transaction);
        Ok(pb::StorageRollbackTxReply { err: String::new() })
    }
}
