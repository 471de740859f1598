//! The open transactions of one instance, behind the ids that the plugin knows them by (plugin-protocol §3.4).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linchpin_crypto::random;
use linchpin_engine::{Access, Context, StorageError, StorageView, Transaction};
use parking_lot::Mutex;
use tonic::Status;

use crate::tasks::Tasks;

/// How many transactions an instance may have open.
const MAX_OPEN: usize = 256;
/// How long one may stay open: as long as a request may take, and then it is rolled back.
const MAX_AGE: Duration = Duration::from_secs(90);

/// A transaction, which one call at a time works on; `None` once it was committed.
type Shared = Arc<tokio::sync::Mutex<Option<Box<dyn Transaction>>>>;

/// The transactions of an instance. Ids of another instance mean nothing here.
pub(super) struct Transactions {
    storage: Arc<dyn StorageView>,
    open: Arc<Mutex<HashMap<String, Open>>>,
    next_owner: AtomicU64,
    tasks: Tasks,
}

struct Open {
    transaction: Shared,
    /// The connection that it was begun on; it ends with it.
    owner: u64,
}

impl Transactions {
    pub(super) fn new(storage: Arc<dyn StorageView>, tasks: Tasks) -> Self {
        Self {
            storage,
            open: Arc::default(),
            next_owner: AtomicU64::new(1),
            tasks,
        }
    }

    /// A number for a new connection.
    pub(super) fn new_owner(&self) -> u64 {
        self.next_owner.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins a transaction and names it. A failure is a gRPC status: Go clients do not look at the reply's `err`.
    pub(super) async fn begin(
        &self,
        ctx: &Context,
        owner: u64,
        access: Access,
    ) -> Result<String, Status> {
        if self.open.lock().len() >= MAX_OPEN {
            return Err(Status::resource_exhausted("too many open transactions"));
        }
        let transaction = self.storage.begin(ctx, access).await;
        let transaction = transaction.map_err(|error| Status::unknown(error.to_string()))?;
        let id = random::uuid();
        let open = Open {
            transaction: Arc::new(tokio::sync::Mutex::new(Some(transaction))),
            owner,
        };
        self.open.lock().insert(id.clone(), open);
        let (all, key) = (Arc::clone(&self.open), id.clone());
        self.tasks.spawn(async move {
            tokio::time::sleep(MAX_AGE).await;
            all.lock().remove(&key);
        });
        Ok(id)
    }

    /// The transaction of an id.
    pub(super) fn find(&self, id: &str) -> Result<Shared, Status> {
        let open = self.open.lock();
        let found = open.get(id).map(|open| Arc::clone(&open.transaction));
        found.ok_or_else(ended)
    }

    /// Ends an id and hands its transaction over.
    pub(super) async fn take(&self, id: &str) -> Result<Box<dyn Transaction>, Status> {
        let open = self.open.lock().remove(id).ok_or_else(ended)?;
        let taken = open.transaction.lock().await.take();
        taken.ok_or_else(ended)
    }

    /// Rolls back what a connection has left open.
    pub(super) fn end_of(&self, owner: u64) {
        self.open.lock().retain(|_, open| open.owner != owner);
    }

    /// Rolls everything back. One that a call works on right now ends with that call.
    pub(super) fn roll_back_all(&self) -> usize {
        let all: Vec<Open> = self.open.lock().drain().map(|(_, open)| open).collect();
        all.len()
    }
}

/// The reference host falls back to writing without a transaction here. That would hide a lost commit.
pub(super) fn ended() -> Status {
    Status::unknown(StorageError::Ended.to_string())
}
