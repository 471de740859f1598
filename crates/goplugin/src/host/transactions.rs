//! The open transactions of one instance, behind the ids that the plugin knows them by (plugin-protocol §3.4).
//!
//! A plugin may begin thousands a second, so none costs a task: one sweeper for the whole table rolls back what is too old, and only
//! while something is open.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linchpin_crypto::random;
use linchpin_engine::{Access, Context, StorageError, StorageView, Transaction};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
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
    table: Arc<Mutex<Table>>,
    room: Arc<Semaphore>,
    next_owner: AtomicU64,
    tasks: Tasks,
}

#[derive(Default)]
struct Table {
    open: HashMap<String, Open>,
    /// Whether a sweeper runs.
    swept: bool,
}

struct Open {
    transaction: Shared,
    /// The connection that it was begun on; it ends with it.
    owner: u64,
    /// When it is rolled back.
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Transactions {
    pub(super) fn new(storage: Arc<dyn StorageView>, tasks: Tasks) -> Self {
        Self {
            storage,
            table: Arc::default(),
            room: Arc::new(Semaphore::new(MAX_OPEN)),
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
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(Status::resource_exhausted("too many open transactions"));
        };
        let transaction = self.storage.begin(ctx, access).await;
        let transaction = transaction.map_err(|error| Status::unknown(error.to_string()))?;
        let id = random::uuid();
        let open = Open {
            transaction: Arc::new(tokio::sync::Mutex::new(Some(transaction))),
            owner,
            until: Instant::now() + MAX_AGE,
            _place: place,
        };
        let unswept = {
            let mut table = self.table.lock();
            table.open.insert(id.clone(), open);
            !std::mem::replace(&mut table.swept, true)
        };
        if unswept {
            self.tasks.spawn(sweep(Arc::clone(&self.table)));
        }
        Ok(id)
    }

    /// The transaction of an id.
    pub(super) fn find(&self, id: &str) -> Result<Shared, Status> {
        let table = self.table.lock();
        let found = table.open.get(id).map(|open| Arc::clone(&open.transaction));
        found.ok_or_else(ended)
    }

    /// Ends an id and hands its transaction over.
    pub(super) async fn take(&self, id: &str) -> Result<Box<dyn Transaction>, Status> {
        let open = self.table.lock().open.remove(id).ok_or_else(ended)?;
        let taken = open.transaction.lock().await.take();
        taken.ok_or_else(ended)
    }

    /// Rolls back what a connection has left open.
    pub(super) fn end_of(&self, owner: u64) {
        let left = self.table.lock().remove(|open| open.owner == owner);
        drop(left);
    }

    /// Rolls everything back. One that a call works on right now ends with that call.
    pub(super) fn roll_back_all(&self) -> usize {
        let all = self.table.lock().remove(|_| true);
        all.len()
    }
}

impl Table {
    /// Takes out what matches. The caller drops it when it no longer holds the lock: a rollback is the storage's code.
    fn remove(&mut self, matches: impl Fn(&Open) -> bool) -> Vec<Open> {
        let removed = self.open.extract_if(|_, open| matches(open));
        removed.map(|(_, open)| open).collect()
    }
}

/// Rolls back what is too old, until nothing is open.
async fn sweep(table: Arc<Mutex<Table>>) {
    loop {
        let now = Instant::now();
        let (overdue, next) = {
            let mut table = table.lock();
            let overdue = table.remove(|open| open.until <= now);
            let next = table.open.values().map(|open| open.until).min();
            table.swept = next.is_some();
            (overdue, next)
        };
        drop(overdue);
        match next {
            Some(at) => tokio::time::sleep_until(at).await,
            None => return,
        }
    }
}

/// The reference host falls back to writing without a transaction here. That would hide a lost commit.
pub(super) fn ended() -> Status {
    Status::unknown(StorageError::Ended.to_string())
}

#[cfg(test)]
mod tests;
