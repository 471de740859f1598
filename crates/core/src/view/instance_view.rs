//! One instance's view of its mount's storage, and its phases.

use super::{Buffer, Change, MountStorage, late, transaction};
use bytes::Bytes;
use linchpin_barrier::{Key, Version};
use linchpin_engine::{
    Access, Backend, BoxFuture, Context, Page, StorageEntry, StorageError, StorageView, Transaction,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Notify, RwLock, RwLockReadGuard};

/// The most that an overlay holds, in bytes; beyond it writes go through.
const MAX_OVERLAY: usize = 64 * 1024 * 1024;

/// The largest value (design §3).
const MAX_VALUE: usize = 32 << 20;
/// How many keys of flushed overlays are kept, to tell the old instance of.
const MAX_FLUSHED: usize = 10_000;

/// What a write of the instance does now.
enum Phase {
    /// Refused: between construction and Initialize.
    Setup,
    /// Buffered: during Initialize.
    Staged,
    /// Committed.
    Live,
    /// Waits: a successor is being initialised.
    Fenced,
    /// Applied only if its key is unchanged since the fence: a successor serves.
    Replaced,
    /// Refused: the instance was cleaned up.
    Closed,
}

/// What an Initialize wrote, to be committed together with the mount's record.
#[derive(Default)]
pub(crate) struct Overlay {
    /// The changes, by key relative to the mount.
    pub(crate) changes: BTreeMap<String, Change>,
    /// Whether it grew over its limit, so that some writes are committed already.
    pub(crate) irreversible: bool,
}

/// The view. A phase changes only when no write is under way.
pub(crate) struct InstanceView {
    storage: Arc<MountStorage>,
    number: u64,
    phase: RwLock<Phase>,
    /// Woken at every change of phase: parked writes look again.
    changed: Notify,
    /// The overlay; read through only while `staged`, which reads check without a lock.
    overlay: Mutex<Buffer>,
    staged: AtomicBool,
    /// Keys that an overlay over its limit has committed; at most [`MAX_FLUSHED`] are kept.
    flushed: Mutex<Option<Vec<String>>>,
}

impl InstanceView {
    /// A view in the Setup phase.
    pub(crate) fn new(storage: &Arc<MountStorage>) -> Arc<Self> {
        let view = Arc::new(Self {
            storage: Arc::clone(storage),
            number: storage.next_view.fetch_add(1, Ordering::Relaxed),
            phase: RwLock::new(Phase::Setup),
            changed: Notify::new(),
            overlay: Mutex::new(Buffer::default()),
            staged: AtomicBool::new(false),
            flushed: Mutex::default(),
        });
        storage.add_view(&view);
        view
    }

    /// What an overlay over its limit has already committed: whether there is anything, and which
    /// keys, as far as they are kept.
    pub(crate) fn flushed(&self) -> Option<Vec<String>> {
        self.flushed.lock().clone()
    }

    /// Initialize begins: writes are buffered and read through.
    pub(crate) async fn stage(&self) {
        let mut phase = self.phase.write().await;
        self.staged.store(true, Ordering::SeqCst);
        *phase = Phase::Staged;
        drop(phase);
        self.changed.notify_waiters();
    }

    /// Initialize has ended well: what it wrote. Writes that come now wait for [`Self::go_live`],
    /// reads still see the overlay.
    pub(crate) async fn seal_overlay(&self) -> Overlay {
        let mut phase = self.phase.write().await;
        *phase = Phase::Fenced;
        // A copy: reads go on through the overlay until it is committed. Values are shared.
        let mut overlay = self.overlay.lock();
        let changes = overlay.take();
        for (key, change) in &changes {
            // It is about to be committed: a late write of the old instance must not undo it.
            self.storage.note_write(self.number, key);
            overlay.set(key.clone(), change.clone());
        }
        Overlay {
            changes,
            irreversible: self.flushed.lock().is_some(),
        }
    }

    /// The overlay is committed (or there was none): writes go to the barrier from now on.
    pub(crate) async fn go_live(&self) {
        let mut phase = self.phase.write().await;
        self.staged.store(false, Ordering::SeqCst);
        self.overlay.lock().take();
        *phase = Phase::Live;
        drop(phase);
        self.changed.notify_waiters();
    }

    /// The fence: waits for writes under way, then parks those that come. Open transactions are
    /// rolled back: their commit fails.
    pub(crate) async fn fence(&self) {
        let mut phase = self.phase.write().await;
        *phase = Phase::Fenced;
        self.storage.start_recording(self.number);
    }

    /// The fence is lifted: parked writes proceed.
    pub(crate) async fn unfence(&self) {
        let mut phase = self.phase.write().await;
        self.storage.stop_recording(self.number);
        *phase = Phase::Live;
        drop(phase);
        self.changed.notify_waiters();
    }

    /// A successor serves: parked and late writes become conditional.
    pub(crate) async fn replaced_by(&self, successor: &Arc<dyn Backend>) {
        let mut phase = self.phase.write().await;
        *self.storage.current.lock() = Some(Arc::downgrade(successor));
        *phase = Phase::Replaced;
        drop(phase);
        self.changed.notify_waiters();
    }

    /// The instance is gone: nothing that still comes is applied.
    pub(crate) async fn close(&self) {
        let mut phase = self.phase.write().await;
        self.storage.stop_recording(self.number);
        *phase = Phase::Closed;
        drop(phase);
        self.changed.notify_waiters();
    }

    /// Applies one change in whatever way the phase says.
    async fn write(&self, ctx: &Context, key: &str, change: Change) -> Result<(), StorageError> {
        check_write(&self.storage.full(key), key, &change)?;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let phase = self.phase.read().await;
                match &*phase {
                    Phase::Setup => return Err(StorageError::Setup),
                    Phase::Closed => return Err(StorageError::Replaced),
                    Phase::Staged if crate::fault::is_set("overlay-off") => {
                        return self.commit_one(key, change).await;
                    }
                    Phase::Staged => return self.buffer([(key.to_owned(), change)]).await,
                    Phase::Live => return self.commit_one(key, change).await,
                    Phase::Replaced if crate::fault::is_set("fence-off") => {
                        return self.commit_one(key, change).await;
                    }
                    Phase::Replaced => {
                        return late::write(&self.storage, self.number, ctx, key, change).await;
                    }
                    Phase::Fenced if crate::fault::is_set("fence-off") => {
                        return self.commit_one(key, change).await;
                    }
                    Phase::Fenced => {}
                }
            }
            ctx.race(changed)
                .await
                .map_err(|_| StorageError::Cancelled)?;
        }
    }

    async fn commit_one(&self, key: &str, change: Change) -> Result<(), StorageError> {
        self.storage.note_write(self.number, key);
        self.storage
            .store
            .commit_changes(&[], vec![(self.storage.full(key), change)])
            .await?;
        self.storage.count_write();
        Ok(())
    }

    /// Buffers changes. Over the limit, what is buffered is committed now: the result of the reload
    /// says that it cannot be taken back.
    async fn buffer(
        &self,
        changes: impl IntoIterator<Item = (String, Change)>,
    ) -> Result<(), StorageError> {
        let flushed = {
            let mut overlay = self.overlay.lock();
            for (key, change) in changes {
                overlay.set(key, change);
            }
            (overlay.bytes() > MAX_OVERLAY).then(|| overlay.take())
        };
        let Some(flushed) = flushed else {
            return Ok(());
        };
        for key in flushed.keys() {
            self.storage.note_write(self.number, key);
        }
        let full = |(key, change): (&String, &Change)| (self.storage.full(key), change.clone());
        let full: Vec<_> = flushed.iter().map(full).collect();
        if let Err(error) = self.storage.store.commit_changes(&[], full).await {
            // They were acknowledged: back into the overlay, below what came meanwhile.
            let mut overlay = self.overlay.lock();
            for (key, change) in flushed {
                if overlay.get(&key).is_none() {
                    overlay.set(key, change);
                }
            }
            return Err(error);
        }
        let mut kept = self.flushed.lock();
        let kept = kept.get_or_insert_default();
        let room = MAX_FLUSHED.saturating_sub(kept.len());
        kept.extend(flushed.into_keys().take(room));
        Ok(())
    }

    /// The stored value with the overlay read through.
    async fn read(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        check_key(key)?;
        if self.staged.load(Ordering::SeqCst) {
            match self.overlay.lock().get(key) {
                Some(Change::Put(value)) => return Ok(Some(value.clone())),
                Some(Change::Delete) => return Ok(None),
                None => {}
            }
        }
        Ok(self
            .storage
            .store
            .get(&self.storage.full(key))
            .await?
            .map(|stored| stored.value))
    }

    async fn names(&self, prefix: &str, page: Page) -> Result<Vec<String>, StorageError> {
        check_key(prefix)?;
        if !self.staged.load(Ordering::SeqCst) {
            return self
                .storage
                .store
                .list(&self.storage.full(prefix), &page)
                .await;
        }
        let empty = self.overlay.lock().folders_with_deletions(prefix);
        let mut stored = self
            .storage
            .store
            .list(&self.storage.full(prefix), &Page::default())
            .await?;
        for folder in empty {
            let left = self
                .storage
                .store
                .keys_below(&self.storage.full(&format!("{prefix}{folder}")))
                .await?;
            let overlay = self.overlay.lock();
            let is_deleted = |full: &String| {
                full.strip_prefix(&self.storage.prefix)
                    .and_then(|key| overlay.get(key))
                    == Some(&Change::Delete)
            };
            if left.iter().all(is_deleted) {
                stored.retain(|name| *name != folder);
            }
        }
        Ok(self.overlay.lock().merge_listing(prefix, stored, &page))
    }

    /// The full key in the barrier.
    pub(super) fn full(&self, key: &str) -> String {
        self.storage.full(key)
    }

    /// For a transaction: the phase, held so that it does not change during a commit.
    async fn hold(&self) -> RwLockReadGuard<'_, Phase> {
        self.phase.read().await
    }

    /// Commits a transaction: everything that it read is unchanged, or nothing happens.
    pub(super) async fn commit_transaction(
        &self,
        tx: transaction::Parts,
    ) -> Result<(), StorageError> {
        let phase = self.hold().await;
        // Reads go on in every phase: only that they still hold is checked.
        if tx.changes.is_empty() {
            return self
                .storage
                .store
                .commit_changes(&tx.unchanged, Vec::new())
                .await;
        }
        match &*phase {
            Phase::Setup => Err(StorageError::Setup),
            Phase::Closed | Phase::Replaced => Err(StorageError::Replaced),
            // Rolled back by the fence; whoever runs it again is parked like any other writer.
            Phase::Fenced => Err(StorageError::Conflict),
            Phase::Staged => {
                self.storage
                    .store
                    .commit_changes(&tx.unchanged, Vec::new())
                    .await?;
                self.buffer(tx.changes.into_changes()).await
            }
            Phase::Live => {
                let writes = tx.changes.into_changes();
                for key in writes.keys() {
                    self.storage.note_write(self.number, key);
                }
                let changes = writes
                    .into_iter()
                    .map(|(key, change)| (self.storage.full(&key), change))
                    .collect();
                self.storage
                    .store
                    .commit_changes(&tx.unchanged, changes)
                    .await?;
                self.storage.count_write();
                Ok(())
            }
        }
    }

    /// For a transaction: a read with what is needed to see later that it has not changed.
    pub(super) async fn read_for(
        &self,
        key: &str,
        reads: &mut BTreeMap<String, Option<Version>>,
    ) -> Result<Option<Bytes>, StorageError> {
        check_key(key)?;
        if self.staged.load(Ordering::SeqCst) {
            match self.overlay.lock().get(key) {
                Some(Change::Put(value)) => return Ok(Some(value.clone())),
                Some(Change::Delete) => return Ok(None),
                None => {}
            }
        }
        let full = self.storage.full(key);
        let stored = self.storage.store.get(&full).await?;
        let token = stored.as_ref().map(|s| s.token.clone());
        // The first read of a key decides: a second one that differs is a conflict at commit.
        reads.entry(full).or_insert(token);
        Ok(stored.map(|s| s.value))
    }

    /// For a transaction: a listing.
    pub(super) async fn list_for(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.names(prefix, Page::default()).await
    }

    /// For a transaction: every key below a folder, relative to the mount.
    pub(super) async fn keys_below(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        let full = self
            .storage
            .store
            .keys_below(&self.storage.full(folder))
            .await?;
        Ok(full
            .into_iter()
            .filter_map(|k| k.strip_prefix(&self.storage.prefix).map(str::to_owned))
            .collect())
    }
}

/// No key leaves the view: the prefix is put before it, and no store knows `..`. A name that only
/// contains dots is a name like others (core-api §1.4).
pub(super) fn check_key(key: &str) -> Result<(), StorageError> {
    if key.split('/').any(|segment| segment == "..") {
        Err(StorageError::RelativePath)
    } else {
        Ok(())
    }
}

/// Whether a key may be written with this: found where it is written, not when a batch fails.
pub(super) fn check_write(full: &str, key: &str, change: &Change) -> Result<(), StorageError> {
    check_key(key)?;
    if key.is_empty() || key.ends_with('/') {
        // No listing shows it: it could never be found again, nor deleted with its mount.
        return Err(StorageError::Key(key.to_owned(), "it names a folder"));
    }
    if Key::new(full).check().is_err() {
        return Err(StorageError::Key(
            shortened(key),
            "it is too long, or has characters that no store takes",
        ));
    }
    match change {
        Change::Put(value) if value.len() > MAX_VALUE => Err(StorageError::TooLarge {
            what: "value",
            size: value.len(),
            limit: MAX_VALUE,
        }),
        _ => Ok(()),
    }
}

fn shortened(key: &str) -> String {
    key.chars().take(100).collect()
}

/// The view as engines hold it.
pub(crate) struct EngineStorage(pub(crate) Arc<InstanceView>);

impl StorageView for EngineStorage {
    fn get<'a>(
        &'a self,
        _ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move {
            let value = self.0.read(key).await?;
            Ok(value.map(|value| StorageEntry {
                key: key.to_owned(),
                value,
                seal_wrap: false,
            }))
        })
    }

    fn list<'a>(
        &'a self,
        _ctx: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(self.0.names(prefix, page))
    }

    fn put<'a>(
        &'a self,
        ctx: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.0
                .write(ctx, &entry.key, Change::Put(entry.value))
                .await
        })
    }

    fn delete<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(self.0.write(ctx, key, Change::Delete))
    }

    fn begin<'a>(
        &'a self,
        ctx: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        let _ = ctx;
        let tx: Box<dyn Transaction> = Box::new(transaction::ViewTransaction::new(
            Arc::clone(&self.0),
            access,
        ));
        Box::pin(async move { Ok(tx) })
    }
}
