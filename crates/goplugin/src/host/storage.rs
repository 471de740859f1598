//! `pb.Storage`: a mount's storage as its plugin sees it (plugin-protocol §3.4).
//!
//! Storage errors go into the reply's `err` as their text, with gRPC status OK: plugins know them by that text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use linchpin_engine::{Access, Context, Page, StorageEntry, StorageError, StorageView};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::transactions::{Transactions, ended};
use crate::proto::pb;

type Reply<T> = Result<Response<T>, Status>;

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
        Ok(Response::new(pb::StorageBeginTxReply {
            txn,
            err: String::new(),
        }))
    }

    async fn list_page(&self, prefix: &str, page: Page, txn: &str) -> Reply<pb::StorageListReply> {
        let listed = if txn.is_empty() {
            self.storage.list(&self.context(), prefix, page).await
        } else {
            let shared = self.session.transactions.find(txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.list(prefix, page).await
        };
        Ok(Response::new(match listed {
            Ok(keys) => pb::StorageListReply {
                keys,
                err: String::new(),
            },
            Err(error) => pb::StorageListReply {
                keys: Vec::new(),
                err: error.to_string(),
            },
        }))
    }
}

/// The `err` of a reply without anything else in it.
fn text(outcome: Result<(), StorageError>) -> String {
    outcome
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[tonic::async_trait]
impl pb::storage_server::Storage for StorageService {
    async fn list(&self, request: Request<pb::StorageListArgs>) -> Reply<pb::StorageListReply> {
        let args = request.into_inner();
        self.list_page(&args.prefix, Page::default(), &args.txn)
            .await
    }

    async fn list_page(
        &self,
        request: Request<pb::StorageListPageArgs>,
    ) -> Reply<pb::StorageListReply> {
        let args = request.into_inner();
        let page = Page {
            after: args.after,
            limit: usize::try_from(args.limit).unwrap_or(0),
        };
        self.list_page(&args.prefix, page, &args.txn).await
    }

    async fn get(&self, request: Request<pb::StorageGetArgs>) -> Reply<pb::StorageGetReply> {
        let args = request.into_inner();
        let found = if args.txn.is_empty() {
            self.storage.get(&self.context(), &args.key).await
        } else {
            let shared = self.session.transactions.find(&args.txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.get(&args.key).await
        };
        Ok(Response::new(match found {
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
        }))
    }

    async fn put(&self, request: Request<pb::StoragePutArgs>) -> Reply<pb::StoragePutReply> {
        let args = request.into_inner();
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
        Ok(Response::new(pb::StoragePutReply { err: text(put) }))
    }

    async fn delete(
        &self,
        request: Request<pb::StorageDeleteArgs>,
    ) -> Reply<pb::StorageDeleteReply> {
        let args = request.into_inner();
        let deleted = if args.txn.is_empty() {
            self.storage.delete(&self.context(), &args.key).await
        } else {
            let shared = self.session.transactions.find(&args.txn)?;
            let mut transaction = shared.lock().await;
            let transaction = transaction.as_mut().ok_or_else(ended)?;
            transaction.delete(&args.key).await
        };
        Ok(Response::new(pb::StorageDeleteReply { err: text(deleted) }))
    }

    async fn is_transactional(
        &self,
        _: Request<pb::Empty>,
    ) -> Reply<pb::StorageIsTransactionalReply> {
        self.asks_transactional.store(true, Ordering::Relaxed);
        Ok(Response::new(pb::StorageIsTransactionalReply {
            transactional: true,
        }))
    }

    async fn begin_read_only_tx(&self, _: Request<pb::Empty>) -> Reply<pb::StorageBeginTxReply> {
        self.begin(Access::ReadOnly).await
    }

    async fn begin_tx(&self, _: Request<pb::Empty>) -> Reply<pb::StorageBeginTxReply> {
        self.begin(Access::ReadWrite).await
    }

    async fn commit(
        &self,
        request: Request<pb::StorageCommitTxArgs>,
    ) -> Reply<pb::StorageCommitTxReply> {
        let transaction = self
            .session
            .transactions
            .take(&request.into_inner().txn)
            .await?;
        let committed = transaction.commit().await;
        Ok(Response::new(pb::StorageCommitTxReply {
            err: text(committed),
        }))
    }

    async fn rollback(
        &self,
        request: Request<pb::StorageRollbackTxArgs>,
    ) -> Reply<pb::StorageRollbackTxReply> {
        let transaction = self
            .session
            .transactions
            .take(&request.into_inner().txn)
            .await?;
        drop(transaction);
        Ok(Response::new(pb::StorageRollbackTxReply {
            err: String::new(),
        }))
    }
}
