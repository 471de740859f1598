//! The stored tables of mounts (storage-format §§4.1, 4.2): one compressed value per table, written
//! as a whole, together with whatever else must not be half done.

use super::Mounts;
use crate::Core;
use crate::mount::{Mount, full_path};
use crate::view::Change;
use linchpin_engine::{Error, Running};
use linchpin_formats::{MountEntry, MountTable, keys};
use std::sync::Arc;
use tokio::sync::MutexGuard;

/// The right to change the tables.
pub(super) struct Writer<'c>(#[expect(dead_code, reason = "held, not read")] MutexGuard<'c, ()>);

impl Mounts {
    /// Waits for the turn to change the tables. Nothing slow is done meanwhile.
    pub(super) async fn write(&self) -> Writer<'_> {
        Writer(self.writer.lock().await)
    }
}

impl Core {
    /// Commits `changes` together with the tables that hold `entry`, as they are with it put in
    /// (`Some`) or taken out (`None`). `path` is the entry's full path before the change.
    pub(super) async fn commit_table(
        &self,
        _turn: &Writer<'_>,
        path: &str,
        entry: Option<&MountEntry>,
        mut changes: Vec<(String, Change)>,
    ) -> Result<(), Error> {
        let mounts = self.node.load().mounts();
        let others = mounts.iter().map(|mount| mount.record());
        let mut records: Vec<Arc<MountEntry>> =
            others.filter(|record| full_path(record) != path).collect();
        records.extend(entry.map(|entry| Arc::new(entry.clone())));
        changes.extend(tables(&records));
        self.store
            .commit_changes(&[], changes)
            .await
            .map_err(|error| {
                tracing::error!(mount = %path, error = %linchpin_model::chain(&error), "the mount table cannot be stored");
                Error::internal("cannot store the mount table").with_source(error)
            })
    }

    /// Changes a mount's record: stored together with `changes`, then visible. Nothing is written
    /// when neither changes anything. `edit` sees the record as it is in this turn, so that no
    /// change of another is lost.
    ///
    /// # Errors
    /// What `edit` refuses; a mount that is gone; the store's. Nothing has changed then.
    pub(crate) async fn change_record(
        &self,
        mount: &Arc<Mount>,
        changes: Vec<(String, Change)>,
        edit: impl FnOnce(&mut MountEntry) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let turn = self.mounts.write().await;
        let old = mount.record();
        let path = full_path(&old);
        let is_here = |at: &Arc<Mount>| Arc::ptr_eq(at, mount);
        if !self.node.load().at(&path).is_some_and(is_here) {
            return Err(Error::refused(format!("{path:?} is not mounted any more")));
        }
        let mut record = MountEntry::clone(&old);
        edit(&mut record)?;
        if record == *old && changes.is_empty() {
            return Ok(());
        }
        self.commit_table(&turn, &path, Some(&record), changes)
            .await?;
        let has_moved = full_path(&record) != path;
        self.publish_record(mount, record);
        if has_moved {
            // The snapshot finds mounts by their facts, which have the new path now.
            self.publish_mounts(&turn, |_| {});
        }
        Ok(())
    }
}

/// Every table with the records that belong into it, in the order of their paths.
pub(crate) fn tables(records: &[Arc<MountEntry>]) -> Vec<(String, Change)> {
    let of = |key: &str, table: &str, local: bool| {
        let belongs = |record: &&Arc<MountEntry>| record.table == table && record.local == local;
        let mut entries: Vec<MountEntry> = records
            .iter()
            .filter(belongs)
            .map(|record| MountEntry::clone(record))
            .collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let table = MountTable {
            table: table.to_owned(),
            entries,
            ..MountTable::default()
        };
        (
            key.to_owned(),
            Change::Put(table.encode_compressed().into()),
        )
    };
    vec![
        of(keys::MOUNTS, "mounts", false),
        of(keys::LOCAL_MOUNTS, "mounts", true),
        of(keys::AUTH, "auth", false),
        of(keys::LOCAL_AUTH, "auth", true),
    ]
}

/// What a record says of what runs; built-ins have nothing to say (storage-format §4.2).
pub(crate) fn set_running(record: &mut MountEntry, running: &Running) {
    let (version, sha256) = match running.sha256 {
        Some(sha256) => (running.version.clone(), sha256.to_string()),
        None => (String::new(), String::new()),
    };
    record.running_plugin_version = version;
    record.running_sha256 = sha256;
}
