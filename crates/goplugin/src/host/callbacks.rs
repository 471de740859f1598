//! What an instance's socket serves: the services that a plugin calls back, and which of them a request goes to.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use linchpin_engine::{StorageView, SystemView};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, StdError};
use tower::Service;

use super::storage::StorageService;
use super::system::SystemService;
use super::transactions::Transactions;
use crate::names::MAX_CALLBACK;
use crate::proto::pb::events_server::{Events, EventsServer};
use crate::proto::pb::observations_server::{Observations, ObservationsServer};
use crate::proto::pb::storage_server::StorageServer;
use crate::proto::pb::system_view_server::SystemViewServer;
use crate::proto::pb::{Empty, RecordObservationRequest, SendEventRequest};
use crate::proto::pb::{events_server, observations_server, storage_server, system_view_server};

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
        let storage = StorageService::new(
            Arc::clone(&self.storage),
            Arc::clone(&self.transactions),
            Arc::clone(&self.asks_transactional),
            self.cancel.clone(),
        );
        let system = SystemService::new(Arc::clone(&self.system), self.cancel.clone());
        Services {
            storage: StorageServer::new(storage).max_decoding_message_size(MAX_CALLBACK),
            system: SystemViewServer::new(system).max_decoding_message_size(MAX_CALLBACK),
            events: EventsServer::new(Dropped).max_decoding_message_size(MAX_CALLBACK),
            observations: ObservationsServer::new(Dropped).max_decoding_message_size(MAX_CALLBACK),
        }
    }
}

/// The services of one connection.
#[derive(Clone)]
pub(super) struct Services {
    storage: StorageServer<StorageService>,
    system: SystemViewServer<SystemService>,
    events: EventsServer<Dropped>,
    observations: ObservationsServer<Dropped>,
}

impl<B> Service<Request<B>> for Services
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match request.uri().path().split('/').nth(1) {
            Some(storage_server::SERVICE_NAME) => self.storage.call(request),
            Some(system_view_server::SERVICE_NAME) => self.system.call(request),
            Some(events_server::SERVICE_NAME) => self.events.call(request),
            Some(observations_server::SERVICE_NAME) => self.observations.call(request),
            _ => Box::pin(async {
                let status = Status::unimplemented("unknown service");
                Ok(status.into_http())
            }),
        }
    }
}

/// Events and observations have no sink yet: accepted, dropped, and that is an answer that plugins know (plugin-protocol §3.6).
#[derive(Clone)]
struct Dropped;

#[tonic::async_trait]
impl Events for Dropped {
    async fn send_event(
        &self,
        _: tonic::Request<SendEventRequest>,
    ) -> Result<tonic::Response<Empty>, Status> {
        Ok(tonic::Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl Observations for Dropped {
    async fn record_observation(
        &self,
        _: tonic::Request<RecordObservationRequest>,
    ) -> Result<tonic::Response<Empty>, Status> {
        Ok(tonic::Response::new(Empty {}))
    }
}
