//! What a plugin may ask its host beyond the [`SystemView`](linchpin_engine::SystemView), whose answers are kept and stand for zero where
//! there are none. These calls go to the host each time and each may fail: which of them a host has depends on which it is, and on its age
//! (plugin-protocol §3.5, §3.6).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use linchpin_crypto::random;
use linchpin_engine::{BoxFuture, Cancelled, Context, PluginEnvironment};
use linchpin_model::JsonObject;
use tonic::{Code, Status};

use super::callback::Callback;
use crate::convert::{duration_from_wire, duration_to_wire};
use crate::link::Link;
use crate::proto::pb::events_client::EventsClient;
use crate::proto::pb::observations_client::ObservationsClient;
use crate::proto::pb::system_view_client::SystemViewClient;
use crate::proto::{logical, pb};

/// An entity of the identity store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entity {
    /// Its id, as a request's `entity_id` has it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What was noted about it.
    pub metadata: BTreeMap<String, String>,
    /// Whether it may do nothing at present.
    pub disabled: bool,
    /// The names that it has on mounts.
    pub aliases: Vec<Alias>,
}

/// The name of an entity on one mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// The type of the mount.
    pub mount_type: String,
    /// The accessor of the mount.
    pub mount_accessor: String,
    /// What was noted about it.
    pub metadata: BTreeMap<String, String>,
}

/// A group of entities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What was noted about it.
    pub metadata: BTreeMap<String, String>,
}

/// The token that unwraps what was wrapped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Wrapped {
    /// The token, for whoever may unwrap.
    pub token: String,
    /// Its accessor.
    pub accessor: String,
    /// How long it lives.
    pub ttl: Duration,
}

/// The token is a secret.
impl std::fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wrapped")
            .field("accessor", &self.accessor)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// A token that says who the plugin is, for another system.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IdentityToken {
    /// The token.
    pub token: String,
    /// How long it is valid.
    pub ttl: Duration,
}

/// The token is a secret.
impl std::fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityToken")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// Why a call to the host gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// This host does not have the call: it is of another kind, or too old.
    #[error("the server does not have this call")]
    Unsupported,
    /// The host refused or failed; its text.
    #[error("{0}")]
    Failed(String),
    /// Nobody waits for the request any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// A handler that needs the call fails with the text.
impl From<HostError> for linchpin_engine::Error {
    fn from(error: HostError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<Status> for HostError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unimplemented => Self::Unsupported,
            _ => Self::Failed(status.message().to_owned()),
        }
    }
}

/// Calls to the host that may fail. All of them fail in a probe, and in Setup some hosts refuse them.
pub trait HostCalls: Send + Sync + 'static {
    /// The mount's default and maximum lease times, asked now.
    fn lease_ttls<'a>(
        &'a self,
        ctx: &'a Context,
    ) -> BoxFuture<'a, Result<(Duration, Duration), HostError>>;

    /// The version of the host, asked now.
    fn environment<'a>(
        &'a self,
        ctx: &'a Context,
    ) -> BoxFuture<'a, Result<PluginEnvironment, HostError>>;

    /// The entity of a request's `entity_id`; `None` when there is none.
    fn entity<'a>(
        &'a self,
        ctx: &'a Context,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entity>, HostError>>;

    /// The groups that an entity is in, directly or through another group.
    fn groups<'a>(
        &'a self,
        ctx: &'a Context,
        entity_id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Group>, HostError>>;

    /// A password by a policy of the host's.
    fn generate_password<'a>(
        &'a self,
        ctx: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, HostError>>;

    /// Wraps data for whoever gets the token. OpenBao 2.7 refuses it to external plugins: do not make it part of a path that must
    /// work.
    fn wrap<'a>(
        &'a self,
        ctx: &'a Context,
        data: &'a JsonObject,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Wrapped, HostError>>;

    /// A token for another system that says who this plugin is; only Vault Enterprise has it. The time is in whole seconds.
    fn identity_token<'a>(
        &'a self,
        ctx: &'a Context,
        audience: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<IdentityToken, HostError>>;

    /// Tells subscribers that something happened. `metadata` may have the keys `path`, `data_path`, `operation` and `modified` (`true`).
    /// A host without subscribers drops it, and OpenBao does not have the call.
    fn send_event<'a>(
        &'a self,
        ctx: &'a Context,
        event_type: &'a str,
        metadata: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), HostError>>;

    /// Counts something for whoever runs the host. Only newer Vaults have the call.
    fn record_observation<'a>(
        &'a self,
        ctx: &'a Context,
        observation_type: &'a str,
        data: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), HostError>>;
}

/// The host of one instance.
pub(super) struct Host(Arc<Callback>);

impl Host {
    pub(super) fn new(callback: Arc<Callback>) -> Arc<Self> {
        Arc::new(Self(callback))
    }

    async fn view(&self) -> Result<SystemViewClient<Link>, Status> {
        let link = self.0.link().await?;
        Ok(SystemViewClient::with_origin(link, Link::origin()))
    }
}

/// A call that takes as long as its request may.
fn bounded<'a, T: Send + 'a>(
    ctx: &'a Context,
    call: impl Future<Output = Result<T, HostError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, HostError>> {
    Box::pin(async move { ctx.race(call).await? })
}

/// Some replies say their failure in a field.
fn refused(text: String) -> Result<(), HostError> {
    if text.is_empty() {
        Ok(())
    } else {
        Err(HostError::Failed(text))
    }
}

fn entity_from_wire(entity: logical::Entity) -> Entity {
    let aliases = entity.aliases.into_iter().map(|alias| Alias {
        name: alias.name,
        mount_type: alias.mount_type,
        mount_accessor: alias.mount_accessor,
        metadata: alias.metadata,
    });
    Entity {
        id: entity.id,
        name: entity.name,
        metadata: entity.metadata,
        disabled: entity.disabled,
        aliases: aliases.collect(),
    }
}

fn group_from_wire(group: logical::Group) -> Group {
    Group {
        id: group.id,
        name: group.name,
        metadata: group.metadata,
    }
}

fn texts(fields: &BTreeMap<String, String>) -> prost_types::Struct {
    let fields = fields.iter().map(|(name, value)| {
        let kind = prost_types::value::Kind::StringValue(value.clone());
        (name.clone(), prost_types::Value { kind: Some(kind) })
    });
    prost_types::Struct {
        fields: fields.collect(),
    }
}

impl HostCalls for Host {
    fn lease_ttls<'a>(
        &'a self,
        ctx: &'a Context,
    ) -> BoxFuture<'a, Result<(Duration, Duration), HostError>> {
        bounded(ctx, async move {
            let mut view = self.view().await?;
            let default = view.default_lease_ttl(pb::Empty {}).await?.into_inner();
            let max = view.max_lease_ttl(pb::Empty {}).await?.into_inner();
            Ok((duration_from_wire(default.ttl), duration_from_wire(max.ttl)))
        })
    }

    fn environment<'a>(
        &'a self,
        ctx: &'a Context,
    ) -> BoxFuture<'a, Result<PluginEnvironment, HostError>> {
        bounded(ctx, async move {
            let reply = self.view().await?.plugin_env(pb::Empty {}).await?;
            let reply = reply.into_inner();
            refused(reply.err)?;
            let environment = reply.plugin_environment.unwrap_or_default();
            Ok(PluginEnvironment {
                version: environment.vault_version,
                prerelease: environment.vault_version_prerelease,
                metadata: environment.vault_version_metadata,
            })
        })
    }

    fn entity<'a>(
        &'a self,
        ctx: &'a Context,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entity>, HostError>> {
        bounded(ctx, async move {
            let args = pb::EntityInfoArgs {
                entity_id: id.to_owned(),
            };
            let reply = self.view().await?.entity_info(args).await?.into_inner();
            refused(reply.err)?;
            Ok(reply.entity.map(entity_from_wire))
        })
    }

    fn groups<'a>(
        &'a self,
        ctx: &'a Context,
        entity_id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Group>, HostError>> {
        bounded(ctx, async move {
            let args = pb::EntityInfoArgs {
                entity_id: entity_id.to_owned(),
            };
            let reply = self.view().await?.groups_for_entity(args).await?;
            let reply = reply.into_inner();
            refused(reply.err)?;
            Ok(reply.groups.into_iter().map(group_from_wire).collect())
        })
    }

    fn generate_password<'a>(
        &'a self,
        ctx: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, HostError>> {
        bounded(ctx, async move {
            let request = pb::GeneratePasswordFromPolicyRequest {
                policy_name: policy.to_owned(),
            };
            let mut view = self.view().await?;
            let reply = view.generate_password_from_policy(request).await?;
            Ok(reply.into_inner().password)
        })
    }

    fn wrap<'a>(
        &'a self,
        ctx: &'a Context,
        data: &'a JsonObject,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Wrapped, HostError>> {
        bounded(ctx, async move {
            let args = pb::ResponseWrapDataArgs {
                data: data.as_str().to_owned(),
                ttl: duration_to_wire(ttl),
                jwt: false,
            };
            let reply = self.view().await?.response_wrap_data(args).await?;
            let reply = reply.into_inner();
            refused(reply.err)?;
            let info = reply
                .wrap_info
                .ok_or_else(|| HostError::Failed("the answer has no token".to_owned()))?;
            Ok(Wrapped {
                token: info.token,
                accessor: info.accessor,
                ttl: duration_from_wire(info.ttl),
            })
        })
    }

    fn identity_token<'a>(
        &'a self,
        ctx: &'a Context,
        audience: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<IdentityToken, HostError>> {
        bounded(ctx, async move {
            let request = pb::GenerateIdentityTokenRequest {
                audience: audience.to_owned(),
                ttl: i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX),
            };
            let reply = self.view().await?.generate_identity_token(request).await?;
            let reply = reply.into_inner();
            Ok(IdentityToken {
                token: reply.token,
                ttl: Duration::from_secs(u64::try_from(reply.ttl).unwrap_or_default()),
            })
        })
    }

    fn send_event<'a>(
        &'a self,
        ctx: &'a Context,
        event_type: &'a str,
        metadata: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        bounded(ctx, async move {
            let event = logical::EventData {
                id: random::uuid(),
                metadata: Some(texts(metadata)),
                ..logical::EventData::default()
            };
            let request = pb::SendEventRequest {
                event_type: event_type.to_owned(),
                event: Some(event),
            };
            let link = self.0.link().await?;
            let mut events = EventsClient::with_origin(link, Link::origin());
            events.send_event(request).await?;
            Ok(())
        })
    }

    fn record_observation<'a>(
        &'a self,
        ctx: &'a Context,
        observation_type: &'a str,
        data: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        bounded(ctx, async move {
            let request = pb::RecordObservationRequest {
                observation_type: observation_type.to_owned(),
                data: Some(texts(data)),
            };
            let link = self.0.link().await?;
            let mut observations = ObservationsClient::with_origin(link, Link::origin());
            observations.record_observation(request).await?;
            Ok(())
        })
    }
}
