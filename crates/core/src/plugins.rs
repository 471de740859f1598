//! The plugin catalog as a service (plugin-lifecycle §§2, 3): what is registered and pinned, stored
//! and published.
//!
//! What may be done is decided by the crate `catalog`, which is pure; here is the order in which it
//! becomes true. A writer makes the next snapshot, stores it durably, publishes it, and only then
//! answers. There is one writer at a time, and it never waits for a plugin: files are inspected and
//! run before its lock is taken, so a plugin that hangs delays nobody but its own registration.
//! Nothing here touches what runs (§2.8).
//!
//! | file | what it is |
//! |---|---|
//! | `stored` | the catalog's records: read, kept when they are not understood, written |
//! | `register`, `deregister`, `pins`, `runtimes` | one operation each |
//! | `legacy` | plugins from before there were types |

mod deregister;
mod legacy;
mod pins;
mod register;
mod runtimes;
mod stored;

use crate::store::Store;
use crate::view::Change;
use crate::{Core, Settings};
use arc_swap::ArcSwap;
use linchpin_catalog::{Builtin, Catalog, EntryId, Pin, Registration, Runtime, warnings};
use linchpin_engine::{Context, Error, Fleet, Shape, StorageError};
use linchpin_model::{PluginEntry, PluginType};
use std::sync::Arc;
use stored::Places;
use tokio::sync::{Mutex, MutexGuard};

/// The catalog of the node.
pub(crate) struct Plugins {
    /// What everybody reads.
    catalog: ArcSwap<Catalog>,
    /// The built-ins alone: what reading the store begins with.
    empty: Catalog,
    /// One writer at a time; it alone knows under which keys the entries are stored.
    writer: Mutex<Places>,
    /// Where plugins without a type were found.
    untyped: Vec<String>,
    store: Store,
    fleet: Arc<dyn Fleet>,
    settings: Settings,
}

/// Who runs an entry: full paths of mounts. Asked while the writer's lock is held, so it must not
/// wait.
pub(crate) type Users<'a> = &'a (dyn Fn(&EntryId) -> Vec<String> + Sync);

impl Plugins {
    /// Reads what is stored of plugins, pins and runtimes. A record that is not understood is kept,
    /// reported in the log and not used; it never keeps the server from starting.
    ///
    /// # Errors
    /// The store did not answer, or the barrier is sealed.
    pub(crate) async fn load(
        store: Store,
        fleet: Arc<dyn Fleet>,
        settings: Settings,
        builtins: Vec<Builtin>,
    ) -> Result<Self, StorageError> {
        let empty = Catalog::new(builtins, settings.has_plugin_directory);
        let stored = stored::load(&store, &empty).await?;
        Ok(Self {
            catalog: ArcSwap::from_pointee(stored.catalog),
            empty,
            writer: Mutex::new(stored.places),
            untyped: stored.untyped,
            store,
            fleet,
            settings,
        })
    }

    /// The catalog at this moment.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Makes `changes` durable. When that fails, nothing is published but what the store really
    /// holds: it may have written the batch and lost only the answer, and then nobody must be told
    /// that the catalog is as it was.
    async fn commit(
        &self,
        places: &mut Places,
        changes: Vec<(String, Change)>,
    ) -> Result<(), Error> {
        let Err(error) = self.store.commit_changes(&[], changes).await else {
            return Ok(());
        };
        if let Ok(stored) = stored::load(&self.store, &self.empty).await {
            *places = stored.places;
            self.publish(stored.catalog);
        }
        Err(error.into())
    }

    /// The writer's lock in a mutant run that holds it while plugins start; nothing in every other.
    pub(crate) async fn held_by_fault(&self) -> Option<MutexGuard<'_, Places>> {
        if crate::fault::is_set("lock-held") {
            return Some(self.writer.lock().await);
        }
        None
    }

    pub(crate) fn publish(&self, next: Catalog) {
        self.catalog.store(Arc::new(next));
    }
}

/// The answer to what the catalog refuses, its text and shape kept (plugin-lifecycle §0.3). That
/// there is no such pin is a warning as well: a Terraform provider takes an error without one for a
/// success (§3.3).
#[must_use]
pub fn refused(error: linchpin_catalog::Error) -> Error {
    let shape = match error.shape() {
        linchpin_catalog::Shape::Plain => Shape::Plain,
        linchpin_catalog::Shape::Wrapped => Shape::Wrapped,
    };
    let text = error.to_string();
    let refusal = Error::new(error.kind(), shape, vec![text.clone()]);
    match error {
        linchpin_catalog::Error::NoPin => refusal.with_warning(text),
        _ => refusal,
    }
}

impl Core {
    /// What is registered, pinned and compiled in at this moment.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.plugins.catalog()
    }

    /// Registers a plugin, or replaces what was registered under its type, name and version
    /// (plugin-lifecycle §2.5). Runs its file once. Answers warnings.
    ///
    /// # Errors
    /// The rows of §2.5, in their order; the store's.
    ///
    /// # Cancel safety
    /// Await it to the end: dropped while it commits, it leaves an entry stored that is seen only
    /// after the next start. Cancelling `ctx` is safe at any time.
    pub async fn register(
        &self,
        ctx: &Context,
        registration: Registration,
    ) -> Result<Vec<String>, Error> {
        let users = |id: &EntryId| self.mounts_running(id);
        self.plugins.register(ctx, registration, &users).await
    }

    /// Deregisters an entry; that there is none is a success (plugin-lifecycle §2.6). `version` is
    /// the query parameter, `None` when it is absent. Answers warnings.
    ///
    /// # Errors
    /// The refusals of §2.6; the store's.
    ///
    /// # Cancel safety
    /// As [`Core::register`].
    pub async fn deregister(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
        version: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let users = |id: &EntryId| self.mounts_running(id);
        self.plugins
            .deregister(ctx, plugin_type, name, version, &users)
            .await
    }

    /// What a read of an entry, or a pin to it, warns of when its file cannot be read
    /// (plugin-lifecycle §4.4).
    pub async fn file_warning(&self, entry: &PluginEntry) -> Option<String> {
        self.plugins.file_warning(entry).await
    }

    /// Pins (type, name) to a registered version (plugin-lifecycle §3.1). Nothing is reloaded by it:
    /// the warnings name the mounts that still run another version.
    ///
    /// # Errors
    /// The refusals of §3.1; the store's.
    ///
    /// # Cancel safety
    /// As [`Core::register`].
    pub async fn pin(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
        version: &str,
    ) -> Result<Vec<String>, Error> {
        let entry = self.plugins.pin(ctx, plugin_type, name, version).await?;
        let unreadable = self.plugins.file_warning(&entry).await;
        let id = EntryId::of(&entry);
        let pending = pins::pending(&id, &self.mounts(plugin_type));
        let behind = (!pending.is_empty()).then(|| warnings::pinned_not_reloaded(&id, &pending));
        Ok(unreadable.into_iter().chain(behind).collect())
    }

    /// The mounts that a pin does not run on yet, by full path, each with the version that it runs
    /// (plugin-lifecycle §11 item 9).
    #[must_use]
    pub fn pending_mounts(&self, pin: &Pin) -> Vec<(String, String)> {
        let id = EntryId {
            plugin_type: pin.plugin_type,
            name: pin.name.clone(),
            version: Some(pin.version.clone()),
        };
        pins::pending(&id, &self.mounts(pin.plugin_type))
    }

    /// Registers a runtime of container plugins, or replaces the one of its name (plugin-lifecycle §6).
    ///
    /// # Errors
    /// A limit below zero; the store's.
    ///
    /// # Cancel safety
    /// As [`Core::register`].
    pub async fn register_runtime(&self, ctx: &Context, runtime: Runtime) -> Result<(), Error> {
        self.plugins.register_runtime(ctx, runtime).await
    }

    /// Removes a runtime of container plugins.
    ///
    /// # Errors
    /// There is none of this name, or entries refer to it; the store's.
    ///
    /// # Cancel safety
    /// As [`Core::register`].
    pub async fn remove_runtime(&self, ctx: &Context, name: &str) -> Result<(), Error> {
        self.plugins.remove_runtime(ctx, name).await
    }

    /// Learns the types of plugins that were stored without one. It waits for them to run.
    pub(crate) async fn upgrade_untyped_plugins(&self) {
        let ctx = Context::internal(self.stopping.child_token());
        self.plugins.upgrade_untyped(&ctx).await;
    }

    /// Removes a pin; that there is none is a success (plugin-lifecycle §3.4).
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// As [`Core::register`].
    pub async fn unpin(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
    ) -> Result<(), Error> {
        self.plugins.unpin(ctx, plugin_type, name).await
    }

    /// A pin (plugin-lifecycle §3.3).
    ///
    /// # Errors
    /// wrapped(404) with a warning beside it: there is no such pin.
    pub fn read_pin(&self, plugin_type: PluginType, name: &str) -> Result<Pin, Error> {
        self.catalog().read_pin(plugin_type, name).map_err(refused)
    }
}

#[cfg(test)]
mod tests;
