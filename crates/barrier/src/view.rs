//! Reading, listing and writing through the barrier.

use std::sync::Arc;

use bytes::Bytes;
use linchpin_crypto::Secret;
use linchpin_formats::keys::OUTSIDE_BARRIER;
use linchpin_storage::{self as storage, ChangeIndex, Key, Listing, Page, Prefix};

use crate::batch::Expectation;
use crate::cache::Change;
use crate::{Barrier, Batch, Entry, Error, Open, Result, Version};

impl Barrier {
    /// The entry stored under `key`; `None` when there is none. A cached one costs no decryption.
    ///
    /// # Errors
    /// [`Error::Sealed`]; [`Error::Tampered`], [`Error::UnknownTerm`] or [`Error::NotARecord`] when what is stored is
    /// not what was written there; [`Error::OutsideBarrier`]; [`Error::Read`].
    pub async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        match self.cached(key)? {
            Some(found) => Ok(found),
            None => self.read_through(key).await,
        }
    }

    /// The names below `prefix`. Names are not encrypted; the barrier only insists on being open.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::List`].
    pub async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing> {
        self.open()?;
        let listed = self.store.list(prefix, page).await;
        listed.map_err(|source| Error::List {
            prefix: prefix.clone(),
            source,
        })
    }

    /// Encrypts and writes all of `batch` or none of it; durable when this returns. Afterwards every read sees it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a precondition does not hold; [`Error::Sealed`], [`Error::OutsideBarrier`],
    /// [`Error::Cipher`]: nothing was written. For [`Error::Commit`] see [`Error::wrote_nothing`].
    ///
    /// # Cancel safety
    /// As `Storage::commit`: a batch whose future was dropped may still be written, later, whole. Until the barrier is
    /// made anew, its keys are then no longer cached.
    pub async fn commit(&self, batch: Batch) -> Result<ChangeIndex> {
        let open = self.open()?;
        let (sealed, changes) = open.encrypt(batch)?;
        let fence = self.fences.raise(&open.cache, changes);
        // The fence cleared the cache that belongs to these keys. Sealed and unsealed since, there would be another.
        if !self.is_still(&open) {
            fence.refused();
            return Err(Error::Sealed);
        }
        match self.store.commit(sealed).await {
            Ok(index) => {
                fence.committed();
                Ok(index)
            }
            Err(error) => {
                if error.wrote_nothing() {
                    fence.refused();
                }
                Err(error.into())
            }
        }
    }

    /// How many records were encrypted since the unseal; `None` while sealed.
    #[must_use]
    pub fn encryptions(&self) -> Option<u64> {
        self.open
            .load()
            .as_ref()
            .map(|open| open.keys.encryptions())
    }

    /// The term that new records are written under; `None` while sealed.
    #[must_use]
    pub fn active_term(&self) -> Option<u32> {
        self.open
            .load()
            .as_ref()
            .map(|open| open.keys.active_term())
    }

    /// Every physical key that listings reach, in ascending order, sealed or not: for inspection and for tests of the
    /// storage format. A key that ends in `/` is in no listing and so not here.
    ///
    /// # Errors
    /// [`Error::List`].
    pub async fn physical_keys(&self) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        let mut waiting = vec![Prefix::root()];
        while let Some(prefix) = waiting.pop() {
            let listed = self.store.list(&prefix, Page::all()).await;
            let listed = listed.map_err(|source| Error::List {
                prefix: prefix.clone(),
                source,
            })?;
            for name in listed.names {
                if name.ends_with('/') {
                    waiting.push(prefix.below(&name));
                } else {
                    keys.push(prefix.key(&name));
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    fn is_still(&self, open: &Arc<Open>) -> bool {
        let now = self.open.load();
        now.as_ref().is_some_and(|now| Arc::ptr_eq(now, open))
    }

    fn cached(&self, key: &Key) -> Result<Option<Option<Entry>>> {
        let open = self.open.load();
        let open = open.as_ref().ok_or(Error::Sealed)?;
        Ok(open.cache.get(key))
    }

    async fn read_through(&self, key: &Key) -> Result<Option<Entry>> {
        must_be_inside(key)?;
        let open = self.open()?;
        let ticket = self.fences.ticket(key);
        let found = match self.read_raw(key).await? {
            Some(record) => Some(open.decrypt(key, record)?),
            None => None,
        };
        let length = found.as_ref().map_or(0, |entry| entry.version.0.len());
        if let Some(ticket) = ticket
            && open.cache.has_room_for(length)
        {
            // A failed lookup must not let whoever reads make the cache hold keys that nobody could ever write.
            if found.is_some() || key.check().is_ok() {
                self.fences
                    .fill(&ticket, &open.cache, key.clone(), found.clone());
            }
        }
        Ok(found)
    }

    /// The stored bytes under `key`, whatever they are.
    pub(crate) async fn read_raw(&self, key: &Key) -> Result<Option<Bytes>> {
        let read = self.store.get(key).await;
        read.map_err(|source| Error::Read {
            key: key.clone(),
            source,
        })
    }
}

impl Open {
    fn decrypt(&self, key: &Key, record: Bytes) -> Result<Entry> {
        let value = self.keys.open(key, &record)?;
        Ok(Entry {
            value: wiped(value),
            version: Version(record),
        })
    }

    /// The store's batch, and what the cache will hold once it is committed.
    fn encrypt(&self, batch: Batch) -> Result<(storage::Batch, Vec<Change>)> {
        let mut sealed = storage::Batch::new();
        for (key, expectation) in batch.expectations {
            match expectation {
                Expectation::Unchanged(Version(stored)) => sealed.if_equals(key, stored),
                Expectation::Absent => sealed.if_absent(key),
            };
        }
        let mut changes = Vec::with_capacity(batch.writes.len());
        for (key, value) in batch.writes {
            must_be_inside(&key)?;
            let Some(value) = value else {
                sealed.delete(key.clone());
                changes.push((key, Some(None)));
                continue;
            };
            let record = Bytes::from(self.keys.seal(&key, &value)?);
            // The caller's bytes may be part of a larger buffer: the cache keeps a copy of its own, and wipes it.
            let entry = self.cache.has_room_for(record.len()).then(|| Entry {
                value: wiped(value.to_vec()),
                version: Version(record.clone()),
            });
            sealed.put(key.clone(), record);
            changes.push((key, entry.map(Some)));
        }
        Ok((sealed, changes))
    }
}

/// Shared bytes that are overwritten when their last user drops them.
fn wiped(value: Vec<u8>) -> Bytes {
    Bytes::from_owner(Secret::new(value))
}

fn must_be_inside(key: &Key) -> Result<()> {
    if OUTSIDE_BARRIER.contains(&key.as_str()) {
        return Err(Error::OutsideBarrier { key: key.clone() });
    }
    Ok(())
}
