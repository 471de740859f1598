//! How the core gets an engine for a mount.

use crate::{Backend, BoxFuture, Context, Error, StorageView, SystemView};
use linchpin_model::{PluginEntry, PluginType, Sha256};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an engine may know of its mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Namespace and path, with its trailing `/`.
    pub path: String,
    /// The UUID that `sys/mounts` shows; storage lives under it.
    pub uuid: String,
    /// The UUID that an engine is given in Setup.
    pub backend_uuid: String,
    /// The accessor.
    pub accessor: String,
    /// The type's name: built-in or plugin.
    pub mount_type: String,
    /// Secrets engine or auth method.
    pub plugin_type: PluginType,
    /// The mount's options, as they were sent.
    pub options: BTreeMap<String, String>,
    /// Whether it is local to its cluster.
    pub local: bool,
}

/// What runs a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// An engine of this binary, by name.
    Builtin(String),
    /// A catalog entry, as it is at this moment.
    External(Arc<PluginEntry>),
    /// A generation that has run before, started again as a new one: the entry as it was captured, the same bytes. Neither the
    /// catalog nor the file is asked (plugin-lifecycle §5.4, `overlap=false`).
    Captured(Captured),
}

/// What a generation was made from, held so that it can be started once more. Only the factory knows what is in it.
#[derive(Clone)]
pub struct Captured(pub Arc<dyn Any + Send + Sync>);

impl PartialEq for Captured {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Captured {}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Captured")
    }
}

/// Which generation a new instance may join (design §4, joining).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joining {
    /// The newest healthy generation of an equal entry: a new mount, a start of the server.
    Newest,
    /// Only one that is newer than the mount's own: a reload. One call starts at most one
    /// generation per entry, and `call` names the call.
    NewerThan {
        /// The generation that the mount runs in now.
        generation: Option<u64>,
        /// The reload's id.
        call: Arc<str>,
    },
}

/// A request for an instance.
pub struct Prepare {
    /// The mount.
    pub mount: MountInfo,
    /// What runs it.
    pub source: PluginSource,
    /// Which generation it may join.
    pub joining: Joining,
    /// The mount's storage. Read-only until `initialize` is called.
    pub storage: Arc<dyn StorageView>,
    /// The node as the mount sees it.
    pub system: Arc<dyn SystemView>,
}

/// What runs now: `running_plugin_version` and `running_sha256` of `sys/mounts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Running {
    /// The version; empty for an unversioned external.
    pub version: String,
    /// The digest; `None` for a built-in.
    pub sha256: Option<Sha256>,
    /// The generation; `None` for a built-in.
    pub generation: Option<u64>,
}

/// An instance that was set up and not yet initialised. Dropping the backend without
/// [`Backend::cleanup`] must not leak a process.
pub struct Prepared {
    /// The engine.
    pub backend: Arc<dyn Backend>,
    /// What it runs.
    pub running: Running,
    /// What its generation was made from; `None` for a built-in.
    pub captured: Option<Captured>,
}

/// Makes instances. The core has one; the binary composes it of the built-ins and the plugin host.
pub trait BackendFactory: Send + Sync + 'static {
    /// Starts or joins a generation, sets an instance up and asks its type and special paths.
    /// Nothing that the old instance of the mount needs is touched; whatever was started is gone
    /// again when this fails.
    ///
    /// # Errors
    /// The cause, in the words of plugin-lifecycle §4.3.
    fn prepare<'a>(
        &'a self,
        ctx: &'a Context,
        prepare: Prepare,
    ) -> BoxFuture<'a, Result<Prepared, Error>>;
}
