//! Registration (plugin-lifecycle §2.5): check, look at the file, run it once, store.

use super::{Plugins, Users, refused, stored};
use crate::view::Change;
use linchpin_barrier::Key;
use linchpin_catalog::{
    Containers, Draft, EntryId, Facts, Registration, check_overwrite, warnings,
};
use linchpin_engine::{Context, Error, Shape};
use linchpin_model::{ErrorKind, PluginEntry, PluginType, Sha256};
use std::collections::BTreeSet;

/// What running the file told; nothing when it did not run.
#[derive(Default)]
pub(super) struct Told {
    pub(super) plugin_type: Option<PluginType>,
    version: String,
    /// Why it did not run.
    failure: Option<String>,
}

impl Plugins {
    /// Registers, and answers warnings. Only the last step, which waits for no plugin, holds the
    /// writer's lock.
    pub(super) async fn register(
        &self,
        ctx: &Context,
        registration: Registration,
        users: Users<'_>,
    ) -> Result<Vec<String>, Error> {
        let runtimes = self.runtime_names();
        let draft = registration
            .check(&self.facts(&runtimes))
            .map_err(refused)?;
        let held = self.held_by_fault().await;
        let looked = self.look(ctx, &draft).await;
        drop(held);
        let (actual, told) = looked?;
        let entry = draft
            .complete(told.plugin_type, &told.version)
            .map_err(refused)?;
        let differs = actual
            .filter(|actual| *actual != entry.sha256)
            .map(|actual| warnings::digest_differs(&entry.command, &entry.sha256, &actual));
        let unproven = match (&differs, told.failure) {
            (None, Some(reason)) => Some(warnings::not_run(&entry.command, &reason)),
            _ => None,
        };
        let unused = (!entry.runtime.is_empty() && entry.oci_image.is_empty())
            .then(|| warnings::runtime_unused(&entry.runtime));
        let overwritten = self.put(ctx, entry, users, None).await?;
        let own = [differs, unproven, unused].into_iter().flatten();
        Ok(own.chain(overwritten).collect())
    }

    /// What the checks must know about this server. It runs no containers.
    pub(super) fn facts<'f>(&'f self, runtimes: &'f [String]) -> Facts<'f> {
        Facts {
            has_directory: self.settings.has_plugin_directory,
            containers: if cfg!(target_os = "linux") {
                Containers::Unsupported
            } else {
                Containers::NotLinux
            },
            runtimes,
            env_allow: &self.settings.plugin_env_allow,
        }
    }

    /// Looks at the file and runs it once: its digest if it has one, and what it told.
    ///
    /// # Errors
    /// Rows 14 to 16 of §2.5; the caller is gone.
    pub(super) async fn look(
        &self,
        ctx: &Context,
        draft: &Draft,
    ) -> Result<(Option<Sha256>, Told), Error> {
        let actual = if draft.needs_file() {
            let facts = ctx.race(self.fleet.inspect(draft.command())).await??;
            facts.sha256
        } else {
            None
        };
        let told = self.run_once(ctx, draft, actual.as_ref()).await?;
        Ok((actual, told))
    }

    /// Runs the file once to learn its version, and its type if nobody said it (§2.5 c, d). That it
    /// does not run is no reason to refuse it, unless its type is asked for (row 16).
    async fn run_once(
        &self,
        ctx: &Context,
        draft: &Draft,
        actual: Option<&Sha256>,
    ) -> Result<Told, Error> {
        // The type only fills the entry's field: the fleet goes by the other argument.
        let Some(entry) = draft.to_probe(Some(PluginType::Secret)) else {
            return Ok(Told::default());
        };
        let plugin_type = draft.plugin_type();
        let failed = |reason: String| match plugin_type {
            Some(_) => {
                tracing::info!(
                    plugin = %EntryId::of(&entry),
                    %reason,
                    "a plugin was registered without having been run"
                );
                Ok(Told {
                    failure: Some(reason),
                    ..Told::default()
                })
            }
            None => Err(unknown_type(&entry, reason)),
        };
        // Other bytes than the registered ones are never run. The fleet verifies what it runs by
        // itself; this spares the start.
        if let Some(actual) = actual.filter(|actual| **actual != entry.sha256) {
            let reason = warnings::digest_differs(&entry.command, &entry.sha256, actual);
            return failed(reason);
        }
        match self.fleet.probe(ctx, &entry, plugin_type).await {
            Ok(probe) => Ok(Told {
                plugin_type: Some(probe.plugin_type),
                version: probe.version,
                failure: None,
            }),
            Err(error) if error.kind() == ErrorKind::InvalidRequest => failed(error.to_string()),
            // Not the plugin's failure: the caller is gone or the node stops. Storing it now could
            // store it without the version that it would have told.
            Err(error) => Err(error),
        }
    }

    /// Stores and publishes an entry. `from` is another key that its record moves from.
    pub(super) async fn put(
        &self,
        ctx: &Context,
        entry: PluginEntry,
        users: Users<'_>,
        from: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let id = EntryId::of(&entry);
        let key = stored::key_of(&id);
        check_key(&id, &key)?;
        let mut places = self.writer.lock().await;
        let catalog = self.catalog();

        // An unversioned `a/v1.0.0` of another server lies where version v1.0.0 of `a` would.
        let lies_there =
            |(other, keys): &(&EntryId, &BTreeSet<String>)| **other != id && keys.contains(&key);
        if let Some((other, _)) = places.iter().find(lies_there) {
            return Err(Error::refused(format!(
                "{id} would be stored where {other} is: deregister that first"
            )));
        }

        // It may have gone since the registration was checked.
        catalog.check_runtime(&entry).map_err(refused)?;

        let before = catalog.entry(&id).map(AsRef::as_ref);
        if let Some(before) = before.filter(|_| self.settings.immutable_versions) {
            check_overwrite(before, &entry).map_err(refused)?;
        }
        let is_changed = before != Some(&entry);
        let mut notes = Vec::new();
        if before.is_some() {
            let mounts = users(&id);
            if !mounts.is_empty() {
                notes.push(warnings::overwritten_in_use(&id, &mounts, is_changed));
            }
            let pinned = catalog.pin(id.plugin_type, &id.name);
            if pinned.is_some() && pinned == id.version.as_ref() {
                notes.push(warnings::overwritten_pinned(&id, is_changed));
            }
        }

        let own = BTreeSet::from([key.clone()]);
        let mut elsewhere = places.get(&id).map(|keys| keys - &own).unwrap_or_default();
        elsewhere.extend(from.map(str::to_owned));
        if !is_changed && elsewhere.is_empty() {
            return Ok(notes);
        }
        let write = stored::put(&self.store, &key, from.unwrap_or(&key), &entry).await?;
        let moved = elsewhere.into_iter().map(|key| (key, Change::Delete));
        let changes = std::iter::once(write).chain(moved).collect();
        self.commit(&mut places, changes).await?;
        let sha256 = entry.sha256;
        self.publish(catalog.with_entry(entry));
        tracing::info!(
            plugin = %id,
            %sha256,
            replaced = %before.map_or(String::new(), |before| before.sha256.to_string()),
            request = %ctx.request_id,
            "{}", if before.is_some() { "plugin overwritten" } else { "plugin registered" }
        );
        places.insert(id, own);
        Ok(notes)
    }
}

/// Row 16: the type was not given and the file does not tell it. One bullet says so, the other why.
fn unknown_type(entry: &PluginEntry, reason: String) -> Error {
    let name = entry.name.clone();
    let text = linchpin_catalog::Error::UnknownType { name }.to_string();
    Error::new(
        ErrorKind::InvalidRequest,
        Shape::Wrapped,
        vec![text, reason],
    )
}

/// Names may be nearly anything, keys may not; one that ends in `/` would not be found again, since
/// listings take it for a folder.
fn check_key(id: &EntryId, key: &str) -> Result<(), Error> {
    let name = &id.name;
    if key.ends_with('/') {
        return Err(Error::refused(format!(
            "plugin name {name:?} cannot end in '/'"
        )));
    }
    Key::new(key)
        .check()
        .map_err(|fault| Error::refused(format!("plugin name {name:?} cannot be stored: {fault}")))
}
