//! What the core may ask about the plugin processes of this node.

use crate::{BoxFuture, Context, Error};
use linchpin_model::{PluginEntry, PluginType, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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

/// One running instance, with the process that it lives in (design §4, seeing it).
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceStatus {
    /// The entry that its generation was made from.
    pub entry: Arc<PluginEntry>,
    /// The generation.
    pub generation: u64,
    /// The mount.
    pub mount: String,
    /// What it is doing.
    pub state: InstanceState,
    /// The process; `None` while there is none.
    pub process: Option<ProcessStatus>,
    /// How often its process was started again.
    pub restarts: u64,
    /// Why its process ended last, or why the last start failed; `None` when neither ever happened.
    pub last_error: Option<String>,
}

impl InstanceStatus {
    /// The id of its process; `None` while there is none.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.pid)
    }
}

/// What an instance is doing, as far as its process goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceState {
    /// Its process is being started, or started again.
    Starting,
    /// It serves.
    Running,
    /// Nothing healthy can be started: the cause. It is retried in the background.
    Degraded(String),
}

/// One plugin process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessStatus {
    /// Its id.
    pub pid: u32,
    /// When it was started.
    pub started: SystemTime,
    /// From exec to the handshake line.
    pub handshake: Duration,
    /// Whether it serves many instances.
    pub multiplexed: bool,
    /// When its bytes were compared with the digest: `at execution` or `at start` (plugin-protocol §2.6).
    pub verified: &'static str,
    /// What of the containment was really applied, in the launcher's words.
    pub containment: String,
    /// Resident memory, in bytes; `None` where the system does not say.
    pub memory: Option<u64>,
    /// CPU time used, user and system; `None` where the system does not say.
    pub cpu: Option<Duration>,
}

/// What happened to the processes of one catalog entry (type, name, version) since the server started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginTotals {
    /// The type.
    pub plugin_type: PluginType,
    /// The name.
    pub name: String,
    /// The version in its canonical form; empty = none.
    pub version: String,
    /// Processes that shook hands.
    pub starts: u64,
    /// Starts that failed.
    pub failed_starts: u64,
    /// Processes that ended without having been asked to.
    pub crashes: u64,
    /// Processes that were found hung and were killed.
    pub hangs: u64,
    /// Whether the circuit breaker is open: starts are not attempted at the moment.
    pub breaker_open: bool,
}

/// One line that a plugin wrote, on stderr or to its stdio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read.
    pub time: SystemTime,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The message, without control characters and bounded in length.
    pub message: String,
    /// The key/value pairs of a structured line, as text.
    pub fields: Vec<(String, String)>,
    /// The version of the entry that the process was started from; empty = none.
    pub version: String,
    /// The process.
    pub pid: u32,
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

    /// What runs now, by mount.
    fn instances(&self) -> Vec<InstanceStatus>;

    /// What happened to the processes of each entry since the server started, bounded in number.
    fn totals(&self) -> Vec<PluginTotals> {
        Vec::new()
    }

    /// The last lines of the processes of a plugin, oldest first, at most `limit`. `version` `None`: of every version; `Some("")`: of
    /// the unversioned entry.
    fn logs(
        &self,
        _plugin_type: PluginType,
        _name: &str,
        _version: Option<&str>,
        _limit: usize,
    ) -> Vec<LogLine> {
        Vec::new()
    }

    /// Ends every process; returns when none is left.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}
