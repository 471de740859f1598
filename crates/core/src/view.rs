//! The storage that a mount's engine sees, and what a reload needs of it.
//!
//! A mount has one [`MountStorage`]: its prefix in the barrier and the count of its writes. Each
//! instance of its engine has an [`InstanceView`] on it, whose [`Phase`] is what makes a reload
//! safe (design §4): read-only during Setup, staged in an overlay during Initialize, live, parked
//! while a successor is initialised, and conditional once it was replaced.

mod buffer;
mod instance_view;
mod late;
mod transaction;

pub(crate) use buffer::{Buffer, Change};
pub(crate) use instance_view::{EngineStorage, InstanceView, Overlay};

use crate::store::Store;
use linchpin_engine::{Backend, Context};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// One mount's part of the barrier, shared by all its instances.
pub(crate) struct MountStorage {
    store: Store,
    prefix: String,
    /// Committed writes of live instances: a reload compares it before and after.
    writes: AtomicU64,
    /// What was written since each fence that has not been closed yet.
    recordings: Mutex<Vec<Recording>>,
    next_view: AtomicU64,
    /// Every view there is: all are closed before the data is deleted.
    views: Mutex<Vec<Weak<InstanceView>>>,
    /// The engine that serves since the last switch: told when somebody else changes a key.
    current: Mutex<Option<Weak<dyn Backend>>>,
}

/// The keys that were written after an instance was fenced, by others than it.
struct Recording {
    view: u64,
    keys: HashSet<String>,
    /// More keys than are kept: every late write is then refused.
    overflown: bool,
}

/// How many keys one recording keeps.
const MAX_RECORDED: usize = 100_000;
/// How long telling an engine of a changed key may take.
const INVALIDATE: Duration = Duration::from_secs(5);

impl MountStorage {
    /// The storage below `prefix` (ending in `/`).
    pub(crate) fn new(store: Store, prefix: String) -> Arc<Self> {
        Arc::new(Self {
            store,
            prefix,
            writes: AtomicU64::new(0),
            recordings: Mutex::new(Vec::new()),
            next_view: AtomicU64::new(1),
            views: Mutex::default(),
            current: Mutex::default(),
        })
    }

    /// Refuses every further write of every instance, and waits for those under way.
    pub(crate) async fn close_all(&self) {
        let views: Vec<_> = self.views.lock().iter().filter_map(Weak::upgrade).collect();
        for view in views {
            view.close().await;
        }
    }

    /// Keeps hold of a new view, and forgets those that are gone.
    fn add_view(&self, view: &Arc<InstanceView>) {
        let mut views = self.views.lock();
        views.retain(|known| known.strong_count() > 0);
        views.push(Arc::downgrade(view));
    }

    /// Counts a committed write: a Setup that began before it may be stale.
    fn count_write(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
    }

    /// Tells the engine that serves now that somebody else has changed a key.
    async fn invalidate(&self, ctx: &Context, key: &str) {
        let current = self.current.lock().as_ref().and_then(Weak::upgrade);
        let Some(current) = current else { return };
        let ctx = ctx.within(INVALIDATE);
        if ctx.race(current.invalidate(&ctx, key)).await.is_err() {
            tracing::warn!(prefix = %self.prefix, "the engine was not told in time of a key that was changed");
        }
    }

    /// How many writes live instances have committed.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// The full key in the barrier.
    pub(crate) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn start_recording(&self, view: u64) {
        self.recordings.lock().push(Recording {
            view,
            keys: HashSet::new(),
            overflown: false,
        });
    }

    fn stop_recording(&self, view: u64) {
        self.recordings.lock().retain(|r| r.view != view);
    }

    /// Notes a write by `writer` for every other instance that is fenced. Called before the write
    /// is committed, so that a late write that does not see the note fails its precondition.
    fn note_write(&self, writer: u64, key: &str) {
        let mut recordings = self.recordings.lock();
        for recording in recordings.iter_mut().filter(|r| r.view != writer) {
            if recording.keys.len() >= MAX_RECORDED {
                recording.overflown = true;
            } else {
                recording.keys.insert(key.to_owned());
            }
        }
    }

    /// Whether somebody else has written `key` since `view` was fenced.
    fn changed_since_fence(&self, view: u64, key: &str) -> bool {
        let recordings = self.recordings.lock();
        recordings
            .iter()
            .find(|r| r.view == view)
            .is_none_or(|r| r.overflown || r.keys.contains(key))
    }
}

#[cfg(test)]
mod tests;
