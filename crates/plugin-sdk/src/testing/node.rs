//! A server as a mount sees it, with values that a test sets.

use std::sync::Arc;
use std::time::Duration;

use linchpin_engine::{
    BoxFuture, ClusterInfo, Context, Error, PluginEnvironment, ReplicationState, SystemView,
};
use parking_lot::{Mutex, MutexGuard};

use super::host_calls::Answers;

/// The system view of a test. Cloning is cheap; all clones are the same node.
///
/// Until a test says otherwise: lease times of 768 hours, a single node, no password policies.
#[derive(Debug, Clone)]
pub struct Node(Arc<Mutex<Values>>);

#[derive(Debug, Clone)]
pub(super) struct Values {
    pub(super) default_lease_ttl: Duration,
    pub(super) max_lease_ttl: Duration,
    tainted: bool,
    replication: ReplicationState,
    pub(super) password: Option<String>,
    pub(super) answers: Answers,
}

impl Default for Node {
    fn default() -> Self {
        let month = Duration::from_secs(768 * 3600);
        Self(Arc::new(Mutex::new(Values {
            default_lease_ttl: month,
            max_lease_ttl: month,
            tainted: false,
            replication: ReplicationState::DISABLED,
            password: None,
            answers: Answers::default(),
        })))
    }
}

impl Node {
    pub(super) fn values(&self) -> MutexGuard<'_, Values> {
        self.0.lock()
    }

    /// Sets the mount's lease times.
    pub fn set_lease_ttls(&self, default: Duration, max: Duration) {
        let mut values = self.0.lock();
        values.default_lease_ttl = default;
        values.max_lease_ttl = max;
    }

    /// Says whether the mount is being removed.
    pub fn set_tainted(&self, tainted: bool) {
        self.0.lock().tainted = tainted;
    }

    /// Sets what the node is in its cluster.
    pub fn set_replication_state(&self, state: ReplicationState) {
        self.0.lock().replication = state;
    }

    /// Sets the password that every policy generates; `None` = there is no policy.
    pub fn set_password(&self, password: Option<String>) {
        self.0.lock().password = password;
    }
}

impl SystemView for Node {
    fn default_lease_ttl(&self) -> Duration {
        self.0.lock().default_lease_ttl
    }

    fn max_lease_ttl(&self) -> Duration {
        self.0.lock().max_lease_ttl
    }

    fn tainted(&self) -> bool {
        self.0.lock().tainted
    }

    fn caching_disabled(&self) -> bool {
        false
    }

    fn local_mount(&self) -> bool {
        false
    }

    fn replication_state(&self) -> ReplicationState {
        self.0.lock().replication
    }

    fn plugin_environment(&self) -> PluginEnvironment {
        PluginEnvironment {
            version: linchpin_model::SERVER_VERSION.to_owned(),
            ..PluginEnvironment::default()
        }
    }

    fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo {
            name: String::new(),
            id: "00000000-0000-0000-0000-000000000000".to_owned(),
        }
    }

    fn generate_password<'a>(
        &'a self,
        _: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            if policy.is_empty() {
                return Err(Error::internal("no password policy specified"));
            }
            let password = self.0.lock().password.clone();
            password.ok_or_else(|| Error::internal("failed to generate password"))
        })
    }
}
