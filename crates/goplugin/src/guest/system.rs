//! The node as an engine in a plugin sees it: `pb.SystemView` of the host (plugin-protocol §3.5).
//!
//! An engine asks without waiting, so the answers are kept here and fetched before they are needed: at Setup, at Initialize, and ahead
//! of a request when they are older than [`FRESH`]. What a host does not answer counts as zero, as in Go plugins.

use std::sync::Arc;
use std::time::Duration;

use linchpin_engine::{
    BoxFuture, ClusterInfo, Context, Error, PluginEnvironment, ReplicationState, SystemView,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::callback::Callback;
use crate::convert::duration_from_wire;
use crate::link::Link;
use crate::proto::pb;
use crate::proto::pb::system_view_client::SystemViewClient;

/// How old the answers may be.
const FRESH: Duration = Duration::from_secs(5);
/// How long the host may take for all of them; hosts answer at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// The system view of one instance.
pub(super) struct System {
    callback: Arc<Callback>,
    known: Mutex<Known>,
}

#[derive(Clone, Default)]
struct Known {
    fetched: Option<Instant>,
    default_lease_ttl: Duration,
    max_lease_ttl: Duration,
    tainted: bool,
    caching_disabled: bool,
    local_mount: bool,
    mlock_enabled: bool,
    replication_state: u32,
    environment: PluginEnvironment,
    cluster: ClusterInfo,
}

impl System {
    pub(super) fn new(callback: Arc<Callback>) -> Arc<Self> {
        Arc::new(Self {
            callback,
            known: Mutex::default(),
        })
    }

    /// Asks the host when the answers are old. One request does it; those beside it go on with the old ones.
    pub(super) async fn freshen(&self) {
        {
            let mut known = self.known.lock();
            if known.fetched.is_some_and(|at| at.elapsed() < FRESH) {
                return;
            }
            known.fetched = Some(Instant::now());
        }
        self.fetch().await;
    }

    /// Asks the host now.
    pub(super) async fn fetch(&self) {
        if let Ok(Some(known)) = tokio::time::timeout(PATIENCE, self.ask()).await {
            *self.known.lock() = known;
        }
    }

    async fn ask(&self) -> Option<Known> {
        let link = self.callback.link().await.ok()?;
        let client = SystemViewClient::with_origin(link, Link::origin());
        let [
            mut a,
            mut b,
            mut c,
            mut d,
            mut e,
            mut f,
            mut g,
            mut h,
            mut i,
        ] = std::array::from_fn(|_| client.clone());
        let answers = tokio::join!(
            a.default_lease_ttl(pb::Empty {}),
            b.max_lease_ttl(pb::Empty {}),
            c.tainted(pb::Empty {}),
            d.caching_disabled(pb::Empty {}),
            e.local_mount(pb::Empty {}),
            f.mlock_enabled(pb::Empty {}),
            g.replication_state(pb::Empty {}),
            h.plugin_env(pb::Empty {}),
            i.cluster_info(pb::Empty {}),
        );
        let environment = answers
            .7
            .ok()
            .and_then(|reply| reply.into_inner().plugin_environment)
            .unwrap_or_default();
        let cluster = answers
            .8
            .map(tonic::Response::into_inner)
            .unwrap_or_default();
        Some(Known {
            fetched: Some(Instant::now()),
            default_lease_ttl: ttl(answers.0),
            max_lease_ttl: ttl(answers.1),
            tainted: answers.2.is_ok_and(|reply| reply.into_inner().tainted),
            caching_disabled: answers.3.is_ok_and(|reply| reply.into_inner().disabled),
            local_mount: answers.4.is_ok_and(|reply| reply.into_inner().local),
            mlock_enabled: answers.5.is_ok_and(|reply| reply.into_inner().enabled),
            replication_state: answers
                .6
                .ok()
                .and_then(|reply| u32::try_from(reply.into_inner().state).ok())
                .unwrap_or_default(),
            environment: PluginEnvironment {
                version: environment.vault_version,
                prerelease: environment.vault_version_prerelease,
                metadata: environment.vault_version_metadata,
            },
            cluster: ClusterInfo {
                name: cluster.cluster_name,
                id: cluster.cluster_id,
            },
        })
    }
}

fn ttl(answer: Result<tonic::Response<pb::TtlReply>, tonic::Status>) -> Duration {
    answer
        .map(|reply| duration_from_wire(reply.into_inner().ttl))
        .unwrap_or_default()
}

impl SystemView for System {
    fn default_lease_ttl(&self) -> Duration {
        self.known.lock().default_lease_ttl
    }

    fn max_lease_ttl(&self) -> Duration {
        self.known.lock().max_lease_ttl
    }

    fn tainted(&self) -> bool {
        self.known.lock().tainted
    }

    fn caching_disabled(&self) -> bool {
        self.known.lock().caching_disabled
    }

    fn local_mount(&self) -> bool {
        self.known.lock().local_mount
    }

    fn replication_state(&self) -> ReplicationState {
        ReplicationState(self.known.lock().replication_state)
    }

    fn mlock_enabled(&self) -> bool {
        self.known.lock().mlock_enabled
    }

    fn plugin_environment(&self) -> PluginEnvironment {
        self.known.lock().environment.clone()
    }

    fn cluster_info(&self) -> ClusterInfo {
        self.known.lock().cluster.clone()
    }

    fn generate_password<'a>(
        &'a self,
        ctx: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            let call = async {
                let link = self.callback.link().await?;
                let mut client = SystemViewClient::with_origin(link, Link::origin());
                let request = pb::GeneratePasswordFromPolicyRequest {
                    policy_name: policy.to_owned(),
                };
                client.generate_password_from_policy(request).await
            };
            match ctx.race(call).await? {
                Ok(reply) => Ok(reply.into_inner().password),
                Err(status) => Err(Error::internal(status.message())),
            }
        })
    }
}
