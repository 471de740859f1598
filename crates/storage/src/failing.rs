//! A store that fails on purpose, beside the stores it stands in front of. Durability tests count the commits of a
//! scenario and then let each of them fail in turn.

use std::future::Future;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{Batch, ChangeIndex, Error, Key, Listing, Page, Prefix, Result, Snapshot, Storage};

/// What happens at the chosen commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The batch is not written.
    Refused,
    /// The batch is written, but the answer is lost: the caller sees the same error.
    AnswerLost,
}

/// The error that the chosen commit returns, as the source of [`Error::Store`].
#[derive(Debug, thiserror::Error)]
#[error("commit {0} failed on purpose")]
pub struct Injected(pub u64);

/// Passes everything on to another store, except for commits that were chosen to fail.
#[derive(Debug)]
pub struct FailingStore<S> {
    inner: S,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    commits: u64,
    fault: Option<(u64, Fault)>,
}

impl<S: Storage> FailingStore<S> {
    /// In front of `inner`, with nothing planned.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Mutex::default(),
        }
    }

    /// Lets one commit fail: the `nth` from now, counted from 1. Replaces an earlier plan.
    pub fn fail_commit(&self, nth: u64, fault: Fault) {
        let mut plan = self.plan.lock();
        plan.fault = Some((plan.commits + nth, fault));
    }

    /// How many commits were asked for so far, failed ones included.
    pub fn commits(&self) -> u64 {
        self.plan.lock().commits
    }

    /// The store behind.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn count(&self) -> (u64, Option<Fault>) {
        let mut plan = self.plan.lock();
        plan.commits += 1;
        let number = plan.commits;
        let fault = plan.fault.filter(|&(at, _)| at == number);
        (number, fault.map(|(_, fault)| fault))
    }
}

impl<S: Storage> Storage for FailingStore<S> {
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        self.inner.get(key)
    }

    fn list(&self, prefix: &Prefix, page: Page) -> impl Future<Output = Result<Listing>> + Send {
        self.inner.list(prefix, page)
    }

    async fn commit(&self, batch: Batch) -> Result<ChangeIndex> {
        let (number, fault) = self.count();
        let failed = || Error::Store(Box::new(Injected(number)));
        match fault {
            None => self.inner.commit(batch).await,
            Some(Fault::Refused) => Err(failed()),
            Some(Fault::AnswerLost) => {
                self.inner.commit(batch).await?;
                Err(failed())
            }
        }
    }
}

impl<S: Snapshot> Snapshot for FailingStore<S> {
    fn dump(&self) -> impl Future<Output = Result<Vec<(Key, Bytes)>>> + Send {
        self.inner.dump()
    }
}
