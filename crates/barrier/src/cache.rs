//! The cache of decrypted entries, and the fences that keep it true.
//!
//! The rule is: *an entry in the cache is what the store holds, and nothing of a commit is seen before the store has
//! it.* Three steps keep it. A commit first puts a fence around its keys and drops them from the cache; while a fence
//! stands nobody fills in what they read, so reads of these keys go to the store, which answers old or new, in order.
//! When the store has answered, the commit publishes its values and takes the fence down, unless another commit
//! touched the same fence meanwhile: which of the two was later only the store knows, so the next read finds out. A
//! read remembers the fence's version from before it asked the store, and fills the cache only if that is unchanged.
//!
//! A commit whose outcome is unknown (an error of the store, a dropped future) may still take effect at any time. Its
//! fence is never taken down: its keys, one stripe of [`STRIPES`], are read from the store from then on.

use std::hash::{BuildHasher, RandomState};

use linchpin_storage::Key;
use parking_lot::Mutex;
use quick_cache::Weighter;

use crate::Entry;

/// Over how many fences all keys are spread.
const STRIPES: usize = 1024;

/// What one cached entry costs beside its bytes: the map's slot, three reference counts, the lists of the eviction.
const ENTRY_OVERHEAD: u64 = 256;

/// Decrypted entries by key, bounded in bytes. That a key is absent is remembered too.
pub(crate) struct Cache {
    entries: Option<quick_cache::sync::Cache<Key, Option<Entry>, Bytes>>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Option<Entry>> for Bytes {
    fn weight(&self, key: &Key, found: &Option<Entry>) -> u64 {
        let held = found
            .as_ref()
            .map_or(0, |entry| entry.value.len() + entry.version.0.len());
        u64::try_from(key.as_str().len() + held).map_or(u64::MAX, |bytes| bytes + ENTRY_OVERHEAD)
    }
}

impl Cache {
    /// A cache of at most `bytes`; 0 caches nothing.
    pub(crate) fn new(bytes: u64) -> Self {
        let estimate = usize::try_from(bytes / 1024).unwrap_or(usize::MAX);
        Self {
            entries: (bytes > 0)
                .then(|| quick_cache::sync::Cache::with_weighter(estimate, bytes, Bytes)),
        }
    }

    /// What is known about `key`: nothing, that it is absent, or its entry.
    pub(crate) fn get(&self, key: &Key) -> Option<Option<Entry>> {
        self.entries.as_ref()?.get(key)
    }

    /// Whether an entry of this many bytes is worth offering: one beyond a shard would only push others out.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        let room = self
            .entries
            .as_ref()
            .map_or(0, |map| map.shard_capacity() / 8);
        u64::try_from(bytes).is_ok_and(|bytes| bytes <= room)
    }

    fn insert(&self, key: Key, found: Option<Entry>) {
        if let Some(entries) = &self.entries {
            entries.insert(key, found);
        }
    }

    fn remove(&self, key: &Key) {
        if let Some(entries) = &self.entries {
            entries.remove(key);
        }
    }
}

/// Which keys are being written, by stripe.
pub(crate) struct Fences {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Stripe {
    /// Grows whenever a commit begins or ends.
    version: u64,
    /// Commits that have begun and not ended, those of unknown outcome included.
    in_flight: u64,
}

/// Permission to fill in what a read finds, if no commit comes in between.
pub(crate) struct Ticket {
    stripe: usize,
    version: u64,
}

/// One key of a commit with its new entry: `Some(None)` when it was removed, `None` when it is not worth caching.
pub(crate) type Change = (Key, Option<Option<Entry>>);

impl Fences {
    pub(crate) fn new() -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Self {
            stripes,
            hasher: RandomState::new(),
        }
    }

    /// Before a read asks the store: a ticket, unless the key is being written.
    pub(crate) fn ticket(&self, key: &Key) -> Option<Ticket> {
        let stripe = self.stripe_of(key);
        let state = *self.stripes.get(stripe)?.lock();
        (state.in_flight == 0).then_some(Ticket {
            stripe,
            version: state.version,
        })
    }

    /// After the store answered: fills the cache, unless a commit has begun since the ticket was taken.
    pub(crate) fn fill(&self, ticket: &Ticket, cache: &Cache, key: Key, found: Option<Entry>) {
        let Some(stripe) = self.stripes.get(ticket.stripe) else {
            return;
        };
        let state = stripe.lock();
        if state.in_flight == 0 && state.version == ticket.version {
            cache.insert(key, found);
        }
    }

    /// Before a commit asks the store: no key of `changes` is in `cache` or gets there until the fence is down.
    pub(crate) fn raise<'a>(&'a self, cache: &'a Cache, changes: Vec<Change>) -> Fence<'a> {
        let mut placed: Vec<(usize, Change)> = changes
            .into_iter()
            .map(|change| (self.stripe_of(&change.0), change))
            .collect();
        // Stable: of two writes of one key the later is published last.
        placed.sort_by_key(|(stripe, _)| *stripe);
        let mut versions = Vec::new();
        for (stripe, (key, _)) in &placed {
            if versions.last().is_none_or(|(last, _)| last != stripe)
                && let Some(state) = self.stripes.get(*stripe)
            {
                let mut state = state.lock();
                state.in_flight += 1;
                state.version += 1;
                versions.push((*stripe, state.version));
            }
            // A fill after the lines above is refused, one before them is undone here.
            cache.remove(key);
        }
        Fence {
            fences: self,
            cache,
            placed,
            versions,
        }
    }

    fn stripe_of(&self, key: &Key) -> usize {
        usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % STRIPES
    }
}

/// Stands around the keys of one commit. Dropping it leaves it standing for good; see the top of the file.
#[must_use = "a fence that is dropped stands for good"]
pub(crate) struct Fence<'a> {
    fences: &'a Fences,
    cache: &'a Cache,
    placed: Vec<(usize, Change)>,
    /// Each stripe once, with the version that raising the fence gave it.
    versions: Vec<(usize, u64)>,
}

impl Fence<'_> {
    /// The commit took effect: publishes its entries and takes the fence down.
    pub(crate) fn committed(mut self) {
        let placed = std::mem::take(&mut self.placed);
        self.take_down(placed);
    }

    /// The commit certainly wrote nothing: takes the fence down.
    pub(crate) fn refused(self) {
        self.take_down(Vec::new());
    }

    fn take_down(self, placed: Vec<(usize, Change)>) {
        let mut placed = placed.into_iter().peekable();
        for (stripe, version) in &self.versions {
            let Some(state) = self.fences.stripes.get(*stripe) else {
                continue;
            };
            let mut state = state.lock();
            state.in_flight -= 1;
            let was_alone = state.in_flight == 0 && state.version == *version;
            state.version += 1;
            while let Some((_, (key, found))) = placed.next_if(|(at, _)| at == stripe) {
                match found {
                    Some(found) if was_alone => self.cache.insert(key, found),
                    // Not worth caching: but an earlier write of the same batch may just have been inserted.
                    _ => self.cache.remove(&key),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
