//! What an engine may ask of the node (plugin-protocol §3.5).

use crate::{BoxFuture, Context, Error};
use std::time::Duration;

/// The replication state bits that a node reports to plugins (plugin-protocol §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicationState(pub u32);

impl ReplicationState {
    /// Performance and disaster-recovery replication both disabled: a single node.
    pub const DISABLED: Self = Self(4096 | 8192);
}

/// The version that plugins see. Without a leading `v`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginEnvironment {
    /// The version.
    pub version: String,
    /// Its prerelease part, or empty.
    pub prerelease: String,
    /// Its metadata, or empty.
    pub metadata: String,
}

/// Name and id of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterInfo {
    /// The name.
    pub name: String,
    /// The UUID.
    pub id: String,
}

/// The node as one mount sees it.
///
/// Plugins call these without a deadline and during Setup, Initialize and Cleanup: every method
/// answers promptly and takes no lock that a lifecycle operation holds (plugin-protocol §7.1, 18).
pub trait SystemView: Send + Sync + 'static {
    /// The mount's default lease TTL, the system's filled in.
    fn default_lease_ttl(&self) -> Duration;
    /// The mount's maximum lease TTL, the system's filled in.
    fn max_lease_ttl(&self) -> Duration;
    /// Whether the mount is being removed.
    fn tainted(&self) -> bool;
    /// Whether reads must not be cached.
    fn caching_disabled(&self) -> bool;
    /// Whether the mount is local to its cluster.
    fn local_mount(&self) -> bool;
    /// The replication state.
    fn replication_state(&self) -> ReplicationState {
        ReplicationState::DISABLED
    }
    /// Whether memory is locked.
    fn mlock_enabled(&self) -> bool {
        false
    }
    /// The version of the server.
    fn plugin_environment(&self) -> PluginEnvironment;
    /// The cluster.
    fn cluster_info(&self) -> ClusterInfo;
    /// A password by a password policy.
    fn generate_password<'a>(
        &'a self,
        ctx: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>>;
}
