//! Pins (plugin-lifecycle §3). Setting, moving or removing one starts, stops and reloads nothing.

use super::{Plugins, refused};
use crate::MountStatus;
use crate::view::Change;
use linchpin_catalog::{EntryId, is_wired, name::is_plain, warnings, without_alias};
use linchpin_engine::{Context, Error, FileFacts};
use linchpin_formats::Record;
use linchpin_formats::keys::CatalogKey;
use linchpin_model::{PluginEntry, PluginType};
use std::sync::Arc;
use std::time::Duration;

/// How long a warning may look at a file: a read must not hang with the disk below the plugin
/// directory.
const LOOK: Duration = Duration::from_secs(5);

impl Plugins {
    /// Pins to a registered version, and answers its entry.
    pub(super) async fn pin(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
        version: &str,
    ) -> Result<Arc<PluginEntry>, Error> {
        let mut places = self.writer.lock().await;
        let catalog = self.catalog();
        let pin = catalog
            .check_pin(plugin_type, name, version)
            .map_err(refused)?;
        let key = pin_key(plugin_type, name)?;
        let id = EntryId {
            plugin_type,
            name: pin.name.clone(),
            version: Some(pin.version.clone()),
        };
        let entry = catalog.entry(&id).map(Arc::clone);
        let entry = entry.ok_or_else(|| Error::internal(format!("{id} is not in the catalog")))?;
        if catalog.pin(plugin_type, name) == Some(&pin.version) {
            return Ok(entry);
        }
        // Exactly the three keys: unlike an entry's, a pin's record has no room for anything else
        // (storage-format §8).
        let record = linchpin_formats::Pin::new(plugin_type, name, &pin.version);
        let changes = vec![(key, Change::Put(record.encode().into()))];
        self.commit(&mut places, changes).await?;
        let from = catalog.pin(plugin_type, name);
        tracing::info!(
            plugin = %id, sha256 = %entry.sha256, request = %ctx.request_id,
            from = from.map_or("", |version| version.as_str()),
            "{}", if from.is_some() { "pin moved" } else { "plugin pinned" }
        );
        self.publish(catalog.with_pin(pin));
        Ok(entry)
    }

    /// Removes a pin, and whatever else is stored in its place.
    pub(super) async fn unpin(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
    ) -> Result<(), Error> {
        let key = pin_key(plugin_type, name)?;
        let mut places = self.writer.lock().await;
        self.commit(&mut places, vec![(key, Change::Delete)])
            .await?;
        let catalog = self.catalog();
        if let Some(version) = catalog.pin(plugin_type, name) {
            tracing::info!(%plugin_type, name, %version, request = %ctx.request_id, "plugin unpinned");
            self.publish(catalog.without_pin(plugin_type, name));
        }
        Ok(())
    }

    /// Why the entry's file could not be started now, if it cannot be read.
    pub(super) async fn file_warning(&self, entry: &PluginEntry) -> Option<String> {
        if !entry.oci_image.is_empty() {
            return None;
        }
        let looked = tokio::time::timeout(LOOK, self.fleet.inspect(&entry.command)).await;
        let reason = match looked {
            Ok(Ok(FileFacts { sha256: Some(_) })) => return None,
            Ok(Ok(FileFacts { sha256: None })) => {
                "it cannot be read or is no regular file".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it could not be read within {} s", LOOK.as_secs()),
        };
        let id = EntryId::of(entry);
        Some(warnings::file_unreadable(&id, &entry.command, &reason))
    }
}

/// The mounts that run another version than the pinned one, by full path, each with the version
/// that it runs; none where pins do not reach (plugin-lifecycle §4.2).
pub(super) fn pending(id: &EntryId, mounts: &[MountStatus]) -> Vec<(String, String)> {
    if is_wired(id.plugin_type, &id.name) {
        return Vec::new();
    }
    let version = id.version.as_ref().map_or("", |version| version.as_str());
    let is_pending = |mount: &&MountStatus| {
        let running = &mount.running;
        // A mount that is degraded since the start runs nothing, so it runs no other version.
        let is_running = running.sha256.is_some() || !running.version.is_empty();
        let name = without_alias(id.plugin_type, &mount.record.mount_type);
        !mount.is_singleton && is_running && name == id.name && running.version != version
    };
    let found = mounts.iter().filter(is_pending);
    found
        .map(|mount| (mount.full_path.clone(), mount.running.version.clone()))
        .collect()
}

/// The key of a pin. Only plain names have one: their route takes no other (plugin-lifecycle §0.5),
/// and below a `/` the record would count for nothing.
fn pin_key(plugin_type: PluginType, name: &str) -> Result<String, Error> {
    if !is_plain(name) {
        return Err(Error::unsupported_path());
    }
    Ok(CatalogKey::pin(plugin_type, name).path())
}
