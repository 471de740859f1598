//! An instance from nothing to ready: what mounting and reloading share.
//!
//! *Prepare* resolves what the mount runs and sets an instance up, with storage that it can only
//! read. *Initialise* lets it write, into an overlay that nobody else sees. Only the caller makes
//! any of it real: it commits the overlay together with the mount's record.

use crate::Core;
use crate::instance::Instance;
use crate::mount::{FactsCell, Mount, plugin_type, stored_version};
use crate::system::MountSystem;
use crate::view::{Change, EngineStorage, InstanceView, MountStorage, Overlay};
use linchpin_catalog::Resolved;
use linchpin_engine::{Context, Error, Joining, PluginSource, Prepare};
use linchpin_formats::MountEntry;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

impl Core {
    /// What a mount runs now: its pin or its stored version, from the catalog as it is at this
    /// moment (plugin-lifecycle §4.1 B).
    pub(crate) fn source_of(&self, record: &MountEntry) -> Result<PluginSource, Error> {
        let stored = stored_version(record);
        let catalog = self.catalog();
        let found = catalog
            .run(plugin_type(record), &record.mount_type, stored.as_ref())
            .map_err(crate::refused)?;
        Ok(match found {
            Resolved::Builtin(builtin) => PluginSource::Builtin(builtin.name.clone()),
            Resolved::External(entry) => {
                // The rest of what registration checks is the plugin host's to check again.
                catalog.check_runtime(entry).map_err(crate::refused)?;
                PluginSource::External(Arc::clone(entry))
            }
        })
    }

    /// Starts or joins a generation and sets an instance up. Whatever was started is gone again
    /// when it fails.
    pub(crate) async fn prepare(
        &self,
        ctx: &Context,
        record: &MountEntry,
        facts: &FactsCell,
        storage: &Arc<MountStorage>,
        source: PluginSource,
        joining: Joining,
    ) -> Result<Arc<Instance>, Error> {
        let view = InstanceView::new(storage);
        let overlaps = match &source {
            PluginSource::External(entry) => entry.overlap,
            PluginSource::Builtin(_) => true,
            // Only what cannot run beside another generation is started a second time.
            PluginSource::Captured(_) => false,
        };
        let prepare = Prepare {
            mount: Mount::info(record),
            source,
            joining,
            storage: Arc::new(EngineStorage(Arc::clone(&view))),
            system: Arc::new(MountSystem::new(facts, &self.cluster)),
        };
        let held = self.plugins.held_by_fault().await;
        let prepared = self.factory.prepare(ctx, prepare).await;
        drop(held);
        match prepared {
            Ok(prepared) => Ok(Instance::prepared(prepared, Some(view), overlaps)),
            Err(error) => {
                view.close().await;
                Err(error)
            }
        }
    }

    /// Lets a prepared instance initialise itself. What it wrote is in the overlay; its further
    /// writes wait.
    pub(crate) async fn initialise(
        &self,
        ctx: &Context,
        instance: &Instance,
    ) -> Result<Overlay, Error> {
        let Some(view) = instance.view() else {
            return Ok(Overlay::default());
        };
        view.stage().await;
        let limit = self.settings.initialize_timeout;
        let end = Instant::now() + limit;
        // The engine gets a context without this deadline: else it would be the first to give up,
        // and say no more than that it was cancelled.
        let inner = ctx.child();
        let outcome = ctx
            .within(limit)
            .race(instance.backend().initialize(&inner))
            .await;
        inner.cancel.cancel();
        match outcome {
            Ok(initialised) => initialised?,
            Err(_) if Instant::now() >= end => {
                return Err(Error::refused(format!(
                    "Initialize did not end within {} s",
                    limit.as_secs_f64()
                )));
            }
            Err(_) => return Err(Error::refused("the operation was cancelled")),
        }
        Ok(view.seal_overlay().await)
    }

    /// Takes back a prepared instance that does not become its mount's. Nothing that it wrote is
    /// kept, and its process ends if nothing else is in it. Its Cleanup may take its time: what
    /// comes first is that it writes nothing more.
    pub(crate) async fn discard(&self, instance: &Instance) {
        if let Some(view) = instance.view() {
            view.close().await;
        }
        if !self.clean_up(instance).await {
            tracing::warn!(
                version = %instance.running().version, instance = instance.number(),
                "Cleanup of an instance that failed did not end in time"
            );
        }
    }

    /// The last call of an instance, within its deadline. `false`: it did not end in time.
    pub(crate) async fn clean_up(&self, instance: &Instance) -> bool {
        crate::fault::leave_behind();
        // A context of its own: whatever else is cancelled, an instance is cleaned up.
        let ctx = Context::internal(CancellationToken::new()).within(self.settings.cleanup_timeout);
        ctx.race(instance.backend().cleanup(&ctx)).await.is_ok()
    }
}

/// The changes of an overlay with their keys in the barrier.
pub(crate) fn full_changes(storage: &MountStorage, overlay: Overlay) -> Vec<(String, Change)> {
    let full = |(key, change): (String, Change)| (storage.full(&key), change);
    overlay.changes.into_iter().map(full).collect()
}
