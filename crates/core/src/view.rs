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
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One mount's part of the barrier, shared by all its instances.
pub(crate) struct MountStorage {
    store: Store,
    prefix: String,
    /// Committed writes of live instances: a reload compares it before and after.
    writes: AtomicU64,
    /// What was written since each fence that has not been closed yet.
    recordings: Mutex<Vec<Recording>>,
    next_view: AtomicU64,
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

impl MountStorage {
    /// The storage below `prefix` (ending in `/`).
    pub(crate) fn new(store: Store, prefix: String) -> Arc<Self> {
        Arc::new(Self {
            store,
            prefix,
            writes: AtomicU64::new(0),
            recordings: Mutex::new(Vec::new()),
            next_view: AtomicU64::new(1),
        })
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
