//! The runtimes of container plugins (plugin-lifecycle §6): stored, listed, referred to by entries.
//! None of them is ever used here, since this server runs no containers.

use super::{Plugins, refused};
use crate::view::Change;
use linchpin_catalog::Runtime;
use linchpin_catalog::name::is_plain;
use linchpin_engine::{Context, Error};
use linchpin_formats::{Record, RuntimeRecord, keys};

impl Plugins {
    /// Registers a runtime, or replaces the one of its name. What other products keep in its record
    /// stays there.
    pub(super) async fn register_runtime(
        &self,
        ctx: &Context,
        runtime: Runtime,
    ) -> Result<(), Error> {
        runtime.check().map_err(refused)?;
        let key = key_of(&runtime.name)?;
        let mut places = self.writer.lock().await;
        let before = self.store.get(&key).await?;
        let before = before.and_then(|found| RuntimeRecord::decode(&found.value).ok());
        let asked = runtime.clone();
        let record = RuntimeRecord {
            name: asked.name,
            oci_runtime: asked.oci_runtime,
            cgroup_parent: asked.cgroup_parent,
            cpu: asked.cpu_nanos,
            memory: asked.memory_bytes,
            rootless: asked.rootless,
            unknown: before.map(|before| before.unknown).unwrap_or_default(),
        };
        let changes = vec![(key, Change::Put(record.encode().into()))];
        self.commit(&mut places, changes).await?;
        tracing::info!(runtime = %runtime.name, request = %ctx.request_id, "plugin runtime registered");
        self.publish(self.catalog().with_runtime(runtime));
        Ok(())
    }

    /// Removes a runtime that no entry refers to.
    pub(super) async fn remove_runtime(&self, ctx: &Context, name: &str) -> Result<(), Error> {
        let mut places = self.writer.lock().await;
        let catalog = self.catalog();
        catalog.check_runtime_removal(name).map_err(refused)?;
        let changes = vec![(key_of(name)?, Change::Delete)];
        self.commit(&mut places, changes).await?;
        tracing::info!(runtime = name, request = %ctx.request_id, "plugin runtime removed");
        self.publish(catalog.without_runtime(name));
        Ok(())
    }

    /// The names of the registered runtimes, for the checks of registrations.
    pub(super) fn runtime_names(&self) -> Vec<String> {
        let catalog = self.catalog();
        catalog.runtimes().map(|r| r.name.clone()).collect()
    }
}

/// The runtime that a record under this key describes, or why it is none.
pub(super) fn understand(key: &str, value: &[u8]) -> Result<Runtime, String> {
    let record = RuntimeRecord::decode(value).map_err(|error| error.to_string())?;
    if !is_plain(&record.name) || keys::runtime(&record.name) != key {
        return Err("it is no runtime of the name that its key says".to_owned());
    }
    Ok(Runtime {
        name: record.name,
        oci_runtime: record.oci_runtime,
        cgroup_parent: record.cgroup_parent,
        cpu_nanos: record.cpu,
        memory_bytes: record.memory,
        rootless: record.rootless,
    })
}

/// The key of a runtime. Only plain names have one: their route takes no other (plugin-lifecycle
/// §0.5).
fn key_of(name: &str) -> Result<String, Error> {
    if !is_plain(name) {
        return Err(Error::unsupported_path());
    }
    Ok(keys::runtime(name))
}
