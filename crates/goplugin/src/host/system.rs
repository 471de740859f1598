//! `pb.SystemView`: what a plugin may ask about the node (plugin-protocol §3.5).
//!
//! Go clients turn most failures into zeros without a word, and call without a deadline: everything here answers at once.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use linchpin_engine::{Context, SystemView};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::convert::duration_to_wire;
use crate::proto::{logical, pb};
use crate::timeout;

type Reply<T> = Result<T, Status>;

/// How long a password may take when the caller has set no deadline.
const PASSWORD_TIME: Duration = Duration::from_secs(1);

/// The node as one instance sees it.
#[derive(Clone)]
pub(super) struct SystemService {
    system: Arc<dyn SystemView>,
    cancel: CancellationToken,
}

impl SystemService {
    pub(super) fn new(system: Arc<dyn SystemView>, cancel: CancellationToken) -> Self {
        Self { system, cancel }
    }
}

fn reply<T>(message: T) -> Reply<T> {
    Ok(message)
}

fn enterprise<T>() -> Reply<T> {
    Err(Status::unimplemented("not available on this server"))
}

/// The methods of the service.
impl SystemService {
    pub(super) async fn default_lease_ttl(&self, _: pb::Empty) -> Reply<pb::TtlReply> {
        reply(pb::TtlReply {
            ttl: duration_to_wire(self.system.default_lease_ttl()),
        })
    }

    pub(super) async fn max_lease_ttl(&self, _: pb::Empty) -> Reply<pb::TtlReply> {
        reply(pb::TtlReply {
            ttl: duration_to_wire(self.system.max_lease_ttl()),
        })
    }

    pub(super) async fn tainted(&self, _: pb::Empty) -> Reply<pb::TaintedReply> {
        reply(pb::TaintedReply {
            tainted: self.system.tainted(),
        })
    }

    pub(super) async fn caching_disabled(&self, _: pb::Empty) -> Reply<pb::CachingDisabledReply> {
        reply(pb::CachingDisabledReply {
            disabled: self.system.caching_disabled(),
        })
    }

    pub(super) async fn replication_state(&self, _: pb::Empty) -> Reply<pb::ReplicationStateReply> {
        let state = self.system.replication_state().0;
        reply(pb::ReplicationStateReply {
            state: i32::try_from(state).unwrap_or_default(),
        })
    }

    pub(super) async fn response_wrap_data(
        &self,
        _: pb::ResponseWrapDataArgs,
    ) -> Reply<pb::ResponseWrapDataReply> {
        reply(pb::ResponseWrapDataReply {
            wrap_info: None,
            err: "response wrapping is not available to plugins on this server".to_owned(),
        })
    }

    pub(super) async fn mlock_enabled(&self, _: pb::Empty) -> Reply<pb::MlockEnabledReply> {
        reply(pb::MlockEnabledReply {
            enabled: self.system.mlock_enabled(),
        })
    }

    pub(super) async fn local_mount(&self, _: pb::Empty) -> Reply<pb::LocalMountReply> {
        reply(pb::LocalMountReply {
            local: self.system.local_mount(),
        })
    }

    /// No entity exists yet, and an unknown one is an empty reply.
    pub(super) async fn entity_info(&self, _: pb::EntityInfoArgs) -> Reply<pb::EntityInfoReply> {
        reply(pb::EntityInfoReply::default())
    }

    /// The message inside is always there: a Go plugin dies without it.
    pub(super) async fn plugin_env(&self, _: pb::Empty) -> Reply<pb::PluginEnvReply> {
        let environment = self.system.plugin_environment();
        reply(pb::PluginEnvReply {
            plugin_environment: Some(logical::PluginEnvironment {
                vault_version: environment.version,
                vault_version_prerelease: environment.prerelease,
                vault_version_metadata: environment.metadata,
                vault_build_date: None,
            }),
            err: String::new(),
        })
    }

    pub(super) async fn groups_for_entity(
        &self,
        _: pb::EntityInfoArgs,
    ) -> Reply<pb::GroupsForEntityReply> {
        reply(pb::GroupsForEntityReply::default())
    }

    pub(super) async fn generate_password_from_policy(
        &self,
        headers: &HeaderMap,
        args: pb::GeneratePasswordFromPolicyRequest,
    ) -> Reply<pb::GeneratePasswordFromPolicyReply> {
        let mut ctx = Context::internal(self.cancel.clone());
        // With a deadline of its own, the caller resets the call when it has passed.
        if !headers.contains_key(timeout::NAME) {
            ctx = ctx.within(PASSWORD_TIME);
        }
        let policy = args.policy_name;
        if policy.is_empty() {
            return Err(Status::invalid_argument("no password policy specified"));
        }
        match ctx.race(self.system.generate_password(&ctx, &policy)).await {
            Ok(Ok(password)) => reply(pb::GeneratePasswordFromPolicyReply { password }),
            _ => Err(Status::internal("failed to generate password")),
        }
    }

    /// The id alone, as the reference host answers.
    pub(super) async fn cluster_info(&self, _: pb::Empty) -> Reply<pb::ClusterInfoReply> {
        reply(pb::ClusterInfoReply {
            cluster_name: String::new(),
            cluster_id: self.system.cluster_info().id,
            err: String::new(),
        })
    }

    pub(super) async fn generate_identity_token(
        &self,
        _: pb::GenerateIdentityTokenRequest,
    ) -> Reply<pb::GenerateIdentityTokenResponse> {
        enterprise()
    }

    pub(super) async fn register_rotation_job(
        &self,
        _: pb::RegisterRotationJobRequest,
    ) -> Reply<pb::RegisterRotationJobResponse> {
        enterprise()
    }

    pub(super) async fn deregister_rotation_job(
        &self,
        _: pb::DeregisterRotationJobRequest,
    ) -> Reply<pb::Empty> {
        enterprise()
    }

    pub(super) async fn get_rotation_information(
        &self,
        _: pb::RotationInfoRequest,
    ) -> Reply<pb::RotationInfoReply> {
        enterprise()
    }

    pub(super) async fn register_rotation_job_with_response(
        &self,
        _: pb::RegisterRotationJobRequest,
    ) -> Reply<pb::RegisterRotationJobWithResponseReply> {
        enterprise()
    }
}
