//! A mount's storage in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use linchpin_engine::{
    Access, BoxFuture, Context, Error, Page, StorageEntry, StorageError, StorageView, Transaction,
};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

type Entries = BTreeMap<String, StorageEntry>;

/// What a mount has stored. Cloning is cheap; all clones are the same storage.
#[derive(Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    entries: Mutex<Entries>,
    failing: AtomicBool,
}

impl Memory {
    /// The storage as an instance sees it from Initialize on, for whoever runs one without a
    /// [`Harness`](super::Harness).
    #[must_use]
    pub fn view(&self) -> Arc<dyn StorageView> {
        let view = View::new(self);
        view.open();
        view
    }

    /// Every key, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.0.entries.lock().keys().cloned().collect()
    }

    /// The bytes under a key.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<Bytes> {
        self.0
            .entries
            .lock()
            .get(key)
            .map(|entry| entry.value.clone())
    }

    /// The value under a key.
    ///
    /// # Errors
    /// When it does not have the shape of `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let decoded = self.bytes(key).map(|bytes| serde_json::from_slice(&bytes));
        decoded
            .transpose()
            .map_err(|error| Error::internal(format!("{key}: {error}")))
    }

    /// Stores a value behind the plugin's back.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn put<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), Error> {
        let value = serde_json::to_vec(value)
            .map_err(|error| Error::internal(format!("{key}: {error}")))?;
        let entry = StorageEntry {
            key: key.to_owned(),
            value: value.into(),
            seal_wrap: false,
        };
        self.0.entries.lock().insert(key.to_owned(), entry);
        Ok(())
    }

    /// Deletes a value behind the plugin's back.
    pub fn delete(&self, key: &str) {
        self.0.entries.lock().remove(key);
    }

    /// Makes every write fail from now on, or no longer: what a plugin does when its server's storage fails in the middle.
    pub fn fail_writes(&self, fail: bool) {
        self.0.failing.store(fail, Ordering::Relaxed);
    }

    fn may_write(&self) -> Result<(), StorageError> {
        if self.0.failing.load(Ordering::Relaxed) {
            return Err(StorageError::Failed {
                text: "the storage fails as the test told it to".to_owned(),
                source: None,
            });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} entries)", self.0.entries.lock().len())
    }
}

/// What one instance sees of the storage.
pub(super) struct View {
    memory: Memory,
    /// Whether Initialize has begun.
    open: AtomicBool,
}

impl View {
    pub(super) fn new(memory: &Memory) -> Arc<Self> {
        Arc::new(Self {
            memory: memory.clone(),
            open: AtomicBool::new(false),
        })
    }

    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    fn may_write(&self, key: &str) -> Result<(), StorageError> {
        if !self.open.load(Ordering::Relaxed) {
            return Err(StorageError::Setup);
        }
        check(key)?;
        self.memory.may_write()
    }
}

fn check(key: &str) -> Result<(), StorageError> {
    if key.contains("..") {
        return Err(StorageError::RelativePath);
    }
    Ok(())
}

fn list(entries: &Entries, prefix: &str, page: &Page) -> Vec<String> {
    let names = entries.keys().filter_map(|key| key.strip_prefix(prefix));
    let children = names.map(|name| match name.split_once('/') {
        Some((folder, _)) => format!("{folder}/"),
        None => name.to_owned(),
    });
    let children: BTreeSet<String> = children.filter(|name| *name > page.after).collect();
    let limit = if page.limit == 0 {
        usize::MAX
    } else {
        page.limit
    };
    children.into_iter().take(limit).collect()
}

impl StorageView for View {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move {
            check(key)?;
            Ok(self.memory.0.entries.lock().get(key).cloned())
        })
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async move {
            check(prefix)?;
            Ok(list(&self.memory.0.entries.lock(), prefix, &page))
        })
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.may_write(&entry.key)?;
            let mut entries = self.memory.0.entries.lock();
            entries.insert(entry.key.clone(), entry);
            Ok(())
        })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.may_write(key)?;
            self.memory.0.entries.lock().remove(key);
            Ok(())
        })
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(async move {
            let seen = self.memory.0.entries.lock().clone();
            Ok(Box::new(Pending {
                memory: self.memory.clone(),
                writable: access == Access::ReadWrite && self.open.load(Ordering::Relaxed),
                work: seen.clone(),
                seen,
                keys: BTreeSet::new(),
                prefixes: BTreeSet::new(),
                written: BTreeSet::new(),
            }) as Box<dyn Transaction>)
        })
    }
}

/// A transaction: it works on a copy, and its commit compares what it has read with what is there.
struct Pending {
    memory: Memory,
    writable: bool,
    seen: Entries,
    work: Entries,
    keys: BTreeSet<String>,
    prefixes: BTreeSet<String>,
    written: BTreeSet<String>,
}

impl Pending {
    fn write(&mut self, key: &str) -> Result<(), StorageError> {
        check(key)?;
        if !self.writable {
            return Err(StorageError::ReadOnly);
        }
        self.written.insert(key.to_owned());
        Ok(())
    }
}

impl Transaction for Pending {
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move {
            check(key)?;
            self.keys.insert(key.to_owned());
            Ok(self.work.get(key).cloned())
        })
    }

    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async move {
            check(prefix)?;
            self.prefixes.insert(prefix.to_owned());
            Ok(list(&self.work, prefix, &page))
        })
    }

    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.write(&entry.key)?;
            self.work.insert(entry.key.clone(), entry);
            Ok(())
        })
    }

    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.write(key)?;
            self.work.remove(key);
            Ok(())
        })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        Box::pin(async move {
            if !self.written.is_empty() {
                self.memory.may_write()?;
            }
            let whole = Page::default();
            let mut entries = self.memory.0.entries.lock();
            let same_keys = self
                .keys
                .iter()
                .all(|key| entries.get(key) == self.seen.get(key));
            let same_lists = self
                .prefixes
                .iter()
                .all(|prefix| list(&entries, prefix, &whole) == list(&self.seen, prefix, &whole));
            if !same_keys || !same_lists {
                return Err(StorageError::Conflict);
            }
            for key in std::mem::take(&mut self.written) {
                match self.work.remove(&key) {
                    Some(entry) => entries.insert(key, entry),
                    None => entries.remove(&key),
                };
            }
            Ok(())
        })
    }
}

/// The storage of a probe: reference servers have nothing behind it.
pub(super) struct Missing;

fn missing() -> StorageError {
    StorageError::Failed {
        text: "missing storage implementation: this method should not be called during plugin Setup, but only during and after Initialize"
            .to_owned(),
        source: None,
    }
}

impl StorageView for Missing {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
        _: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        _: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn delete<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        _: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(async { Err(missing()) })
    }
}
