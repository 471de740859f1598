//! What an instance's socket serves: the services that a plugin calls back, and which of their methods a call goes to.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request};
use http_body::Body;
use linchpin_engine::{StorageView, SystemView};
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::storage::StorageService;
use super::system::SystemService;
use super::transactions::Transactions;
use crate::grpc::{self, Came, Fault};
use crate::link::Received;
use crate::listen::{Serve, unless_reset};
use crate::names::MAX_CALLBACK;
use crate::proto::pb::{Empty, RecordObservationRequest, SendEventRequest};

/// What one instance's callbacks work on.
pub(super) struct Callbacks {
    pub(super) storage: Arc<dyn StorageView>,
    pub(super) system: Arc<dyn SystemView>,
    pub(super) transactions: Arc<Transactions>,
    pub(super) asks_transactional: Arc<AtomicBool>,
    /// Cancelled when the instance ends.
    pub(super) cancel: CancellationToken,
}

impl Callbacks {
    /// The services for one connection of the plugin.
    pub(super) fn for_connection(&self) -> Services {
        Services(Arc::new(Parts {
            storage: StorageService::new(
                Arc::clone(&self.storage),
                Arc::clone(&self.transactions),
                Arc::clone(&self.asks_transactional),
                self.cancel.clone(),
            ),
            system: SystemService::new(Arc::clone(&self.system), self.cancel.clone()),
        }))
    }
}

/// The services of one connection.
pub(super) struct Services(Arc<Parts>);

struct Parts {
    storage: StorageService,
    system: SystemService,
}

impl Serve for Services {
    // A storage that has the value in memory answers without waiting, and so does the system view.
    const AT_ONCE: bool = true;

    fn serve(
        &self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> BoxFuture<'static, ()> {
        let parts = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = Received::new(body, None);
            let answer = parts.answer(head.uri.path(), &head.headers, body);
            if let Some(Some(answer)) = unless_reset(&mut respond, answer).await {
                grpc::answer(respond, answer);
            }
        })
    }
}

impl Services {
    /// The answer to a call that comes another way than over HTTP/2.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Option<Result<Bytes, Status>>
    where
        B: Body<Data = Bytes> + Send + Unpin,
    {
        let (head, body) = request.into_parts();
        self.0.answer(head.uri.path(), &head.headers, body).await
    }
}

impl Parts {
    /// The answer to a call, framed; `None` when its stream ended before it had said what it wants.
    async fn answer<B>(
        &self,
        method: &str,
        headers: &HeaderMap,
        body: B,
    ) -> Option<Result<Bytes, Status>>
    where
        B: Body<Data = Bytes> + Send + Unpin,
    {
        let (storage, system) = (&self.storage, &self.system);
        match method {
            "/pb.Storage/Get" => call(body, |args| storage.get(args)).await,
            "/pb.Storage/Put" => call(body, |args| storage.put(args)).await,
            "/pb.Storage/Delete" => call(body, |args| storage.delete(args)).await,
            "/pb.Storage/List" => call(body, |args| storage.list(args)).await,
            "/pb.Storage/ListPage" => call(body, |args| storage.list_page(args)).await,
            "/pb.Storage/IsTransactional" => {
                call(body, |args| storage.is_transactional(args)).await
            }
            "/pb.Storage/BeginReadOnlyTx" => {
                call(body, |args| storage.begin_read_only_tx(args)).await
            }
            "/pb.Storage/BeginTx" => call(body, |args| storage.begin_tx(args)).await,
            "/pb.Storage/Commit" => call(body, |args| storage.commit(args)).await,
            "/pb.Storage/Rollback" => call(body, |args| storage.rollback(args)).await,
            "/pb.SystemView/DefaultLeaseTTL" => {
                call(body, |args| system.default_lease_ttl(args)).await
            }
            "/pb.SystemView/MaxLeaseTTL" => call(body, |args| system.max_lease_ttl(args)).await,
            "/pb.SystemView/Tainted" => call(body, |args| system.tainted(args)).await,
            "/pb.SystemView/CachingDisabled" => {
                call(body, |args| system.caching_disabled(args)).await
            }
            "/pb.SystemView/ReplicationState" => {
                call(body, |args| system.replication_state(args)).await
            }
            "/pb.SystemView/ResponseWrapData" => {
                call(body, |args| system.response_wrap_data(args)).await
            }
            "/pb.SystemView/MlockEnabled" => call(body, |args| system.mlock_enabled(args)).await,
            "/pb.SystemView/LocalMount" => call(body, |args| system.local_mount(args)).await,
            "/pb.SystemView/EntityInfo" => call(body, |args| system.entity_info(args)).await,
            "/pb.SystemView/PluginEnv" => call(body, |args| system.plugin_env(args)).await,
            "/pb.SystemView/GroupsForEntity" => {
                call(body, |args| system.groups_for_entity(args)).await
            }
            "/pb.SystemView/GeneratePasswordFromPolicy" => {
                call(body, |args| {
                    system.generate_password_from_policy(headers, args)
                })
                .await
            }
            "/pb.SystemView/ClusterInfo" => call(body, |args| system.cluster_info(args)).await,
            "/pb.SystemView/GenerateIdentityToken" => {
                call(body, |args| system.generate_identity_token(args)).await
            }
            "/pb.SystemView/RegisterRotationJob" => {
                call(body, |args| system.register_rotation_job(args)).await
            }
            "/pb.SystemView/RegisterRotationJobWithResponse" => {
                call(body, |args| {
                    system.register_rotation_job_with_response(args)
                })
                .await
            }
            "/pb.SystemView/DeregisterRotationJob" => {
                call(body, |args| system.deregister_rotation_job(args)).await
            }
            "/pb.SystemView/GetRotationInformation" => {
                call(body, |args| system.get_rotation_information(args)).await
            }
            // Events and observations have no sink yet: accepted, dropped, and that is an answer that plugins know
            // (plugin-protocol §3.6).
            "/pb.Events/SendEvent" => {
                call(body, |_: SendEventRequest| async { Ok(Empty {}) }).await
            }
            "/pb.Observations/RecordObservation" => {
                call(body, |_: RecordObservationRequest| async { Ok(Empty {}) }).await
            }
            // Also every service and method that a newer plugin may know.
            _ => Some(Err(Status::unimplemented(format!(
                "unknown method {method}"
            )))),
        }
    }
}

/// Reads the arguments of a call, runs it, and frames what it answers.
async fn call<A, R, F, B>(mut body: B, method: impl FnOnce(A) -> F) -> Option<Result<Bytes, Status>>
where
    B: Body<Data = Bytes> + Send + Unpin,
    A: Message + Default,
    R: Message,
    F: Future<Output = Result<R, Status>>,
{
    let outcome = match grpc::read(&mut body, MAX_CALLBACK).await {
        Ok(Came::Message(args)) => method(args).await,
        Ok(Came::End(_)) => Err(Status::internal("the call has no arguments")),
        Err(Fault::Refused(status)) => Err(status),
        Err(Fault::Stream(_)) => return None,
    };
    Some(outcome.and_then(|reply| grpc::framed(&reply)))
}
