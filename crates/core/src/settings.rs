//! The settings of the node (plugin-lifecycle §7.7, design §3).

use crate::gate::GateLimits;
use linchpin_catalog::InUse;
use std::time::Duration;

/// Settings, with the defaults of the specification.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long and how many requests wait at a closed gate (`gate_timeout`, `gate_queue`).
    pub gate: GateLimits,
    /// How long a reload tries to get a moment without requests (`drain_timeout`).
    pub drain_timeout: Duration,
    /// The deadline of Initialize (`plugin_initialize_timeout`).
    pub initialize_timeout: Duration,
    /// The deadline of Cleanup (`plugin_cleanup_timeout`).
    pub cleanup_timeout: Duration,
    /// How long a reload waits for the old instance to be gone before it answers.
    pub retire_wait: Duration,
    /// How many mounts are prepared and not yet switched at a time (`max_surge`).
    pub max_surge: usize,
    /// What deregistering an entry in use does (`deregister_in_use`).
    pub deregister_in_use: InUse,
    /// Whether an overwrite may not change what a version is (`immutable_versions`).
    pub immutable_versions: bool,
    /// Whether pins are behind sudo (`pin_requires_sudo`).
    pub pin_requires_sudo: bool,
    /// Variables that an entry's `env` may set although they load code (`plugin_env_allow`).
    pub plugin_env_allow: Vec<String>,
    /// Whether a plugin directory is configured.
    pub has_plugin_directory: bool,
    /// The system's default lease TTL.
    pub default_lease_ttl: Duration,
    /// The system's maximum lease TTL.
    pub max_lease_ttl: Duration,
    /// What this node is called where results are shown per node.
    pub node_name: String,
    /// How often engines get their turn for periodic work.
    pub rollback_interval: Duration,
    /// The address that other nodes and clients reach this one at.
    pub api_addr: String,
    /// Where the storage lives, as `sys/seal-status` names it.
    pub storage_type: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        const MONTH: Duration = Duration::from_secs(768 * 3600);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            gate: GateLimits::default(),
            drain_timeout: Duration::from_secs(60),
            initialize_timeout: Duration::from_secs(30),
            cleanup_timeout: Duration::from_secs(30),
            retire_wait: Duration::from_secs(5),
            max_surge: 2 * cores,
            deregister_in_use: InUse::Warn,
            immutable_versions: false,
            pin_requires_sudo: false,
            plugin_env_allow: Vec::new(),
            has_plugin_directory: false,
            default_lease_ttl: MONTH,
            max_lease_ttl: MONTH,
            node_name: "node".to_owned(),
            rollback_interval: Duration::from_secs(60),
            api_addr: String::new(),
            storage_type: "inmem",
        }
    }
}
