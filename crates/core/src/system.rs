//! The node as one mount's engine sees it (plugin-protocol §3.5).
//!
//! Plugins ask during Setup, Initialize and Cleanup, while a lifecycle operation waits for them:
//! everything here is read from snapshots, nothing waits.

use crate::mount::FactsCell;
use linchpin_engine::{BoxFuture, ClusterInfo, Context, Error, PluginEnvironment, SystemView};
use std::sync::Arc;
use std::time::Duration;

/// One mount's view of the node. It follows the mount's tuning.
pub(crate) struct MountSystem {
    facts: FactsCell,
    cluster: ClusterInfo,
}

impl MountSystem {
    /// The view of the mount with these facts.
    pub(crate) fn new(facts: &FactsCell, cluster: &ClusterInfo) -> Self {
        Self {
            facts: Arc::clone(facts),
            cluster: cluster.clone(),
        }
    }
}

impl SystemView for MountSystem {
    fn default_lease_ttl(&self) -> Duration {
        self.facts.load().default_lease_ttl
    }

    fn max_lease_ttl(&self) -> Duration {
        self.facts.load().max_lease_ttl
    }

    fn tainted(&self) -> bool {
        self.facts.load().tainted
    }

    fn caching_disabled(&self) -> bool {
        self.facts.load().force_no_cache
    }

    fn local_mount(&self) -> bool {
        self.facts.load().local
    }

    fn plugin_environment(&self) -> PluginEnvironment {
        let (version, metadata) = linchpin_model::SERVER_VERSION
            .split_once('+')
            .unwrap_or((linchpin_model::SERVER_VERSION, ""));
        let (version, prerelease) = version.split_once('-').unwrap_or((version, ""));
        PluginEnvironment {
            version: version.to_owned(),
            prerelease: prerelease.to_owned(),
            metadata: metadata.to_owned(),
        }
    }

    fn cluster_info(&self) -> ClusterInfo {
        self.cluster.clone()
    }

    fn generate_password<'a>(
        &'a self,
        _ctx: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            // Password policies come with their own endpoints; until then none exists.
            Err(Error::internal(format!(
                "no password policy found: {policy:?}"
            )))
        })
    }
}
