//! Plugins from before there were types (plugin-lifecycle §2.9). Each is run once, at the start and
//! beside it, to learn its type, and moves to the key of what it is. One that cannot be run stays
//! where it is: kept, reported, not used.

use super::{Plugins, refused};
use linchpin_catalog::{EntryId, Registration};
use linchpin_engine::{Context, Error};
use linchpin_formats::{PluginRecord, Record};
use linchpin_model::Sha256;

impl Plugins {
    /// Upgrades what was found without a type when the store was read. It may take as long as plugins
    /// take to start, so nobody waits for it; a mount of such a plugin is degraded meanwhile and
    /// comes up by itself.
    pub(super) async fn upgrade_untyped(&self, ctx: &Context) {
        for key in &self.untyped {
            if ctx.cancel.is_cancelled() {
                return;
            }
            match self.upgrade(ctx, key).await {
                Ok(Some(id)) => tracing::info!(key, plugin = %id, "plugin without a type upgraded"),
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    key, reason = %error.messages().join("; "),
                    "the type of this plugin cannot be told, so it is kept and not used: register it again under its type"
                ),
            }
        }
    }

    /// What it is now; `None` when it is gone or was registered anew in the meantime.
    async fn upgrade(&self, ctx: &Context, key: &str) -> Result<Option<EntryId>, Error> {
        let Some(found) = self.store.get(key).await? else {
            return Ok(None);
        };
        let record = PluginRecord::decode(&found.value)
            .map_err(|error| Error::refused(error.to_string()))?;
        let registration = Registration {
            name: record.name,
            sha256: hex(&record.sha256),
            command: record.command,
            args: record.args,
            env: record.env,
            oci_image: record.oci_image,
            runtime: record.runtime,
            overlap: record.overlap,
            execution: record.execution,
            ..Registration::default()
        };
        let runtimes = self.runtime_names();
        let draft = registration
            .check(&self.facts(&runtimes))
            .map_err(refused)?;
        let (_, told) = self.look(ctx, &draft).await?;
        // It stays unversioned, whatever it reports: that is what its mounts ask for.
        let entry = draft.complete(told.plugin_type, "").map_err(refused)?;
        let id = EntryId::of(&entry);
        if self.catalog().entry(&id).is_some() {
            return Ok(None);
        }
        self.put(ctx, entry, &|_| Vec::new(), Some(key)).await?;
        Ok(Some(id))
    }
}

/// A stored digest as registrations write it; whatever is not 32 bytes is none.
fn hex(digest: &[u8]) -> String {
    let digest = <[u8; 32]>::try_from(digest).map(Sha256);
    digest.map_or_else(|_| String::new(), |digest| digest.to_string())
}
