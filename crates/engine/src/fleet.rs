//! What the core may ask about the plugin processes of this node.

use crate::{BoxFuture, Context, Error};
use linchpin_model::{PluginEntry, PluginType, Sha256};
use std::sync::Arc;

/// What is known of the file of a command without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// The digest of its bytes now; `None` when it cannot be read or is no regular file.
    pub sha256: Option<Sha256>,
}

/// What a plugin said when it was started once (plugin-protocol §2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is.
    pub plugin_type: PluginType,
    /// The version that it reports; empty = none.
    pub version: String,
}

/// One running instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus {
    /// The entry that its generation was made from.
    pub entry: Arc<PluginEntry>,
    /// The generation.
    pub generation: u64,
    /// The mount.
    pub mount: String,
    /// The process; `None` while there is none.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
}

/// The plugins of this node.
pub trait Fleet: Send + Sync + 'static {
    /// Validates `command` against the plugin directory and hashes the file
    /// (plugin-lifecycle §2.5, rows 12 to 15).
    ///
    /// # Errors
    /// The texts of these rows.
    fn inspect<'a>(&'a self, command: &'a str) -> BoxFuture<'a, Result<FileFacts, Error>>;

    /// The file names in the plugin directory, sorted; empty without one.
    fn artefacts(&self) -> Vec<String>;

    /// Runs the entry once and asks its version. `plugin_type` `None`: asks its type too.
    ///
    /// # Errors
    /// Why it did not start.
    fn probe<'a>(
        &'a self,
        ctx: &'a Context,
        entry: &'a PluginEntry,
        plugin_type: Option<PluginType>,
    ) -> BoxFuture<'a, Result<Probe, Error>>;

    /// What runs now.
    fn instances(&self) -> Vec<InstanceStatus>;

    /// Ends every process; returns when none is left.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}
