//! Runtimes of container plugins: named ways to run a container, which entries refer to
//! (plugin-lifecycle §6). There is one type of them, `container`.

use crate::{Catalog, Error};
use linchpin_model::PluginEntry;
use std::collections::BTreeSet;

/// A registered runtime, with its values as they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtime {
    /// The name.
    pub name: String,
    /// The OCI runtime; empty = `runsc`.
    pub oci_runtime: String,
    /// The parent of the container's cgroup; empty = the container engine's.
    pub cgroup_parent: String,
    /// Limit of CPU in billionths of a core; 0 = none.
    pub cpu_nanos: i64,
    /// Limit of memory in bytes; 0 = none.
    pub memory_bytes: i64,
    /// Whether the container engine runs without privileges.
    pub rootless: bool,
}

impl Runtime {
    /// Whether it can be registered.
    ///
    /// # Errors
    /// No name, or a limit below zero.
    pub fn check(&self) -> Result<(), Error> {
        if self.name.is_empty() {
            return Err(Error::MissingRuntimeName);
        }
        if self.cpu_nanos < 0 {
            return Err(Error::NegativeCpu);
        }
        if self.memory_bytes < 0 {
            return Err(Error::NegativeMemory);
        }
        Ok(())
    }
}

impl Catalog {
    /// Whether the runtime that an entry names is there: at its registration, and again at each new
    /// generation, since storage may have been restored or edited (plugin-protocol §2.6).
    ///
    /// # Errors
    /// [`Error::UnknownRuntime`].
    pub fn check_runtime(&self, entry: &PluginEntry) -> Result<(), Error> {
        if entry.runtime.is_empty() || self.runtime(&entry.runtime).is_some() {
            return Ok(());
        }
        Err(Error::UnknownRuntime {
            runtime: entry.runtime.clone(),
        })
    }

    /// Whether a runtime may be removed.
    ///
    /// # Errors
    /// There is none of this name, or entries refer to it.
    pub fn check_runtime_removal(&self, name: &str) -> Result<(), Error> {
        if self.runtime(name).is_none() {
            return Err(Error::RuntimeNotFound);
        }
        let plugins: BTreeSet<&str> = self
            .entries()
            .filter(|entry| entry.runtime == name)
            .map(|entry| entry.name.as_str())
            .collect();
        if plugins.is_empty() {
            return Ok(());
        }
        Err(Error::RuntimeReferenced {
            runtime: name.to_owned(),
            plugins: plugins.into_iter().map(str::to_owned).collect(),
        })
    }
}
