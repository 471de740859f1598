//! Deregistration (plugin-lifecycle §2.6). Mounts that run the entry run on.

use super::stored::{Places, untyped_key};
use super::{Plugins, Users, refused};
use crate::view::Change;
use linchpin_catalog::{EntryId, check_in_use};
use linchpin_engine::{Context, Error};
use linchpin_model::PluginType;

impl Plugins {
    /// Removes an entry, and answers warnings.
    pub(super) async fn deregister(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
        version: Option<&str>,
        users: Users<'_>,
    ) -> Result<Vec<String>, Error> {
        let mut places = self.writer.lock().await;
        let catalog = self.catalog();
        let found = catalog
            .deregister(plugin_type, name, version)
            .map_err(refused)?;
        let Some(entry) = found.entry else {
            let has_no_version = version.is_none_or(str::is_empty);
            if has_no_version && self.forget_untyped(ctx, &mut places, name).await? {
                return Ok(Vec::new());
            }
            return Ok(found.note.into_iter().collect());
        };
        let id = EntryId::of(entry);
        let policy = self.settings.deregister_in_use;
        let in_use = check_in_use(&id, &users(&id), policy).map_err(refused)?;
        // Wherever it was found: left behind in one place it would be back at the next start.
        let keys = places.get(&id).cloned().unwrap_or_default();
        let changes = keys.into_iter().map(|key| (key, Change::Delete)).collect();
        self.commit(&mut places, changes).await?;
        self.publish(catalog.without_entry(&id));
        tracing::info!(plugin = %id, sha256 = %entry.sha256, request = %ctx.request_id, "plugin deregistered");
        places.remove(&id);
        Ok(found.note.into_iter().chain(in_use).collect())
    }

    /// Removes what a server from before there were types left under this name. It is no entry here,
    /// so nothing runs it; a record there that does say its type is another plugin's. Answers
    /// whether there was one.
    async fn forget_untyped(
        &self,
        ctx: &Context,
        places: &mut Places,
        name: &str,
    ) -> Result<bool, Error> {
        let Some(key) = untyped_key(name) else {
            return Ok(false);
        };
        let is_entry = places.values().any(|keys| keys.contains(&key));
        if is_entry || self.store.get(&key).await?.is_none() {
            return Ok(false);
        }
        self.commit(places, vec![(key, Change::Delete)]).await?;
        tracing::info!(plugin = name, request = %ctx.request_id, "plugin without a type deregistered");
        Ok(true)
    }
}
