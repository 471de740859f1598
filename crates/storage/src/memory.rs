//! A store in memory, for dev mode and tests. It is as durable as the process; everything else of the contract holds.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::ops::Bound;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::{
    Batch, ChangeIndex, Error, Key, Listing, Page, Prefix, Result, Snapshot, Storage, Write,
};

/// A map behind one lock. Nothing waits while the lock is held, so a call never suspends.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Bytes>,
    last: ChangeIndex,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn apply(&self, batch: Batch) -> Result<ChangeIndex> {
        batch.check()?;
        let mut state = self.state.write();
        for precondition in batch.preconditions() {
            let key = precondition.key();
            if !precondition.holds(state.entries.get(key)) {
                return Err(Error::Conflict { key: key.clone() });
            }
        }
        for write in batch.into_writes() {
            match write {
                Write::Put { key, value } => state.entries.insert(key, value),
                Write::Delete { key } => state.entries.remove(&key),
            };
        }
        state.last.0 += 1;
        Ok(state.last)
    }
}

impl Storage for MemoryStore {
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        ready(Ok(self.state.read().entries.get(key).cloned()))
    }

    fn list(&self, prefix: &Prefix, page: Page) -> impl Future<Output = Result<Listing>> + Send {
        ready(Ok(children(&self.state.read().entries, prefix, &page)))
    }

    fn commit(&self, batch: Batch) -> impl Future<Output = Result<ChangeIndex>> + Send {
        ready(self.apply(batch))
    }
}

impl Snapshot for MemoryStore {
    fn dump(&self) -> impl Future<Output = Result<Vec<(Key, Bytes)>>> + Send {
        let state = self.state.read();
        let entries = state.entries.iter();
        ready(Ok(entries
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()))
    }
}

/// The names below `prefix`, at the cost of one search per name however many keys lie below it: after `x/` the walk
/// goes on at `x0`, since `0` follows `/`.
fn children(entries: &BTreeMap<Key, Bytes>, prefix: &Prefix, page: &Page) -> Listing {
    let mut names = Vec::new();
    // The first key that may count lies behind the prefix itself, which is not its own child.
    let mut from = Bound::Excluded(format!("{}{}", prefix.as_str(), page.after));
    while !page.is_full(names.len()) {
        let bounds = (from.as_ref().map(String::as_str), Bound::Unbounded);
        let Some((key, _)) = entries.range::<str, _>(bounds).next() else {
            break;
        };
        let Some(rest) = key.as_str().strip_prefix(prefix.as_str()) else {
            break;
        };
        let name = match rest.find('/') {
            Some(slash) => {
                let (segment, _) = rest.split_at(slash);
                from = Bound::Included(format!("{}{segment}0", prefix.as_str()));
                format!("{segment}/")
            }
            None => {
                from = Bound::Excluded(key.as_str().to_owned());
                rest.to_owned()
            }
        };
        // `after` may be a directory or lie inside one, whose keys all come behind it.
        if name > page.after {
            names.push(name);
        }
    }
    Listing { names }
}
