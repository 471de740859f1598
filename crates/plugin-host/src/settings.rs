//! What an operator can set (plugin-lifecycle §7.7), and the limits around it.
//!
//! A plain struct: reading a configuration file into it is the binary's business. Every limit is a
//! setting, so that tests need not wait for the defaults.

use crate::launch::Containment;
use linchpin_model::{Execution, PluginType};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of the plugin host.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `plugin_directory`; `None` = no binary plugins.
    pub plugin_directory: Option<PathBuf>,
    /// Where the private directories of the processes are made. Short: a socket's path has 107
    /// bytes.
    pub socket_directory: PathBuf,
    /// `plugin_execution`: what an entry without an `execution` of its own gets.
    pub plugin_execution: Execution,
    /// `plugin_env_allow`: variables that an entry's `env` may set although they are refused
    /// otherwise.
    pub plugin_env_allow: Vec<String>,
    /// Names of variables that the server's storage and seal configuration reads: never inherited.
    pub server_variables: Vec<String>,
    /// `VAULT_PLUGIN_USE_LEGACY_ENV_LAYERING`.
    pub legacy_env_layering: bool,
    /// Plugin names that are treated as not multiplexed (`VAULT_PLUGIN_MULTIPLEXING_OPT_OUT`).
    pub multiplexing_opt_out: Vec<String>,
    /// The version that plugins are told, without a leading `v`.
    pub server_version: String,
    /// The profile of every plugin that `plugins` does not name.
    pub containment: Containment,
    /// The configuration file's `plugin "type" "name" { … }` blocks.
    pub plugins: BTreeMap<(PluginType, String), PluginBlock>,
    /// `plugin_start_timeout`: from the fork to a working connection, per process.
    pub plugin_start_timeout: Duration,
    /// For Setup, Type, SpecialPaths and Version, per call.
    pub plugin_setup_timeout: Duration,
    /// `plugin_initialize_timeout`.
    pub plugin_initialize_timeout: Duration,
    /// `plugin_cleanup_timeout`.
    pub plugin_cleanup_timeout: Duration,
    /// `plugin_stop_timeout`: from the Shutdown call to SIGKILL.
    pub plugin_stop_timeout: Duration,
    /// How long a request waits for an instance that is starting, before it gets 503.
    pub start_wait: Duration,
    /// How many calls of one mount may be in flight; further ones get 503.
    pub calls_in_flight: usize,
    /// How often a process is asked whether it is healthy, and how long it may take to answer.
    pub health_interval: Duration,
    /// The check of owner and mode of the plugin directory and the plugins' files; `None` = off, as
    /// long as `VAULT_ENABLE_FILE_PERMISSIONS_CHECK` is not set.
    pub file_permissions: Option<FilePermissions>,
    /// When a process that ended is started again.
    pub restart: RestartSettings,
}

/// What the plugin directory and the plugins' files must look like (plugin-lifecycle §7.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilePermissions {
    /// `plugin_file_uid`: who must own them; `None`, and 0, is the server's own user.
    pub uid: Option<u32>,
    /// `plugin_file_permissions`: their exact mode; `None`, and 0, = neither group nor others may
    /// write.
    pub mode: Option<u32>,
}

/// One `plugin "type" "name" { … }` block of the configuration file. The catalog cannot widen it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginBlock {
    /// Paths below which the plugin may write, besides its private directory and `/dev`.
    pub writable: Vec<PathBuf>,
    /// Its profile; `None` = the server's.
    pub containment: Option<Containment>,
}

/// Pauses between restarts. The first is immediate, the second waits `first_pause`, and each one
/// after that twice as long, up to `longest_pause`; a random part of a fifth is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartSettings {
    /// Before the second restart in a row.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A process that lived so long ends the row.
    pub stable_after: Duration,
    /// After so many restarts in a row the breaker is open during the pauses: requests get 503 at
    /// once instead of waiting.
    pub breaker_after: u32,
}

impl Default for RestartSettings {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            stable_after: Duration::from_secs(60),
            breaker_after: 5,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            plugin_directory: None,
            socket_directory: std::env::temp_dir(),
            plugin_execution: Execution::Sealed,
            plugin_env_allow: Vec::new(),
            server_variables: Vec::new(),
            legacy_env_layering: false,
            multiplexing_opt_out: Vec::new(),
            server_version: linchpin_model::SERVER_VERSION.to_owned(),
            containment: Containment::Compat,
            plugins: BTreeMap::new(),
            plugin_start_timeout: seconds(60),
            plugin_setup_timeout: seconds(60),
            plugin_initialize_timeout: seconds(30),
            plugin_cleanup_timeout: seconds(30),
            plugin_stop_timeout: seconds(2),
            start_wait: seconds(10),
            calls_in_flight: 1_000,
            health_interval: seconds(5),
            file_permissions: None,
            restart: RestartSettings::default(),
        }
    }
}
