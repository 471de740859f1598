//! A new mount (plugin-lifecycle §4.3): everything that can go wrong goes wrong before the mount
//! exists, and leaves nothing behind: no mount, no data, no process.

use super::NewMount;
use super::check::record_of;
use super::table::set_running;
use crate::Core;
use crate::instance::Instance;
use crate::mount::{FactsCell, Mount, full_path, plugin_type};
use crate::standup::full_changes;
use crate::view::{Change, MountStorage};
use arc_swap::ArcSwap;
use linchpin_engine::{Context, Error, Joining};
use linchpin_formats::{MountEntry, keys};
use linchpin_model::PluginType;
use std::sync::Arc;

impl Core {
    /// Mounts a secrets engine or enables an auth method. The answer's texts are warnings.
    ///
    /// # Errors
    /// The texts of plugin-lifecycle §4.3 and core-api §2.8; nothing has changed then.
    pub async fn enable(
        self: &Arc<Self>,
        ctx: &Context,
        new: NewMount,
    ) -> Result<Vec<String>, Error> {
        let requested = new.plugin_version.clone();
        let mut record = record_of(new, &self.settings)?;
        let reservation = self.reserve(&record).map_err(|in_the_way| {
            let shown = in_the_way.strip_prefix("auth/");
            let shown = shown.filter(|_| record.table == "auth");
            Error::refused(format!(
                "path is already in use at {}",
                shown.unwrap_or(&in_the_way)
            ))
        })?;
        let chosen = self
            .catalog()
            .choose(plugin_type(&record), &record.mount_type, &requested)
            .map_err(crate::refused)?;
        record.plugin_version = chosen.map_or(String::new(), |version| version.to_string());
        let source = self.source_of(&record)?;
        if self.stopping.is_cancelled() {
            return Err(crate::mounts::stopping());
        }

        let storage = MountStorage::new(self.store.clone(), data_prefix(&record));
        let facts = Arc::new(ArcSwap::new(self.facts_of(&record)));
        let prepared = self
            .prepare(ctx, &record, &facts, &storage, source, Joining::Newest)
            .await;
        let instance = prepared.map_err(as_mount_error)?;
        set_running(&mut record, instance.running());
        let path = full_path(&record);
        let plugin = record.mount_type.clone();
        let initialised = self.initialise(ctx, &instance).await;
        let committed = match initialised {
            Ok(overlay) => {
                let changes = full_changes(&storage, overlay);
                self.commit_mount(record, facts, &storage, &instance, changes)
                    .await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = committed {
            self.discard(&instance).await;
            self.erase(&storage).await;
            tracing::warn!(mount = %path, %plugin, %error, "mount failed: nothing is mounted");
            return Err(as_mount_error(error));
        }
        drop(reservation);
        let running = instance.running();
        tracing::info!(
            mount = %path, %plugin, version = %running.version,
            sha256 = %running.sha256.map_or(String::new(), |sha256| sha256.to_string()), "mounted"
        );
        Ok(Vec::new())
    }

    /// The table with the new record and what Initialize wrote, together; then requests see it.
    async fn commit_mount(
        &self,
        record: MountEntry,
        facts: FactsCell,
        storage: &Arc<MountStorage>,
        instance: &Arc<Instance>,
        changes: Vec<(String, Change)>,
    ) -> Result<(), Error> {
        let turn = self.mounts.write().await;
        let path = full_path(&record);
        self.commit_table(&turn, &path, Some(&record), changes)
            .await?;
        if let Some(view) = instance.view() {
            view.go_live().await;
        }
        let mount = Mount::new(
            record,
            facts,
            Arc::clone(instance),
            Some(Arc::clone(storage)),
            self.settings.gate,
            self.stopping.child_token(),
        );
        self.publish_mounts(&turn, |mounts| mounts.push(mount));
        Ok(())
    }

    /// Removes what an Initialize that failed has already committed (an overlay over its limit).
    async fn erase(&self, storage: &MountStorage) {
        let outcome = async {
            let last = self.erase_but_last(&storage.full("")).await?;
            self.store.commit_changes(&[], last).await
        };
        if let Err(error) = outcome.await {
            tracing::error!(prefix = %storage.full(""), %error, "the data of a mount that failed could not be removed");
        }
    }
}

/// Where a mount's data lives (storage-format §4.3).
pub(crate) fn data_prefix(record: &MountEntry) -> String {
    match plugin_type(record) {
        PluginType::Auth => keys::auth_data(&record.uuid),
        _ => keys::engine_data(&record.uuid),
    }
}

/// A plugin that cannot be started is the caller's mistake: 400 with its reason, never a 500 that a
/// client would repeat.
fn as_mount_error(error: Error) -> Error {
    match error.kind() {
        linchpin_model::ErrorKind::Internal => Error::refused(error.to_string()).with_source(error),
        _ => error,
    }
}
