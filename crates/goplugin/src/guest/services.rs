//! What a plugin's main socket serves, and which service a request goes to.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::backend::BackendService;
use super::broker::Broker;
use super::control::{Controller, Healthy, Multiplexed, Silent, Version};
use super::{Factory, Options};
use crate::link::Received;
use crate::names::MAX_MESSAGE;
use crate::proto::health::health_server::{self, HealthServer};
use crate::proto::logical::plugin_version_server::{self, PluginVersionServer};
use crate::proto::multiplexing::plugin_multiplexing_server::{self, PluginMultiplexingServer};
use crate::proto::pb::backend_server::{self, BackendServer};
use crate::proto::plugin::grpc_broker_server::{self, GrpcBrokerServer};
use crate::proto::plugin::grpc_controller_server::{self, GrpcControllerServer};
use crate::proto::plugin::grpc_stdio_server::{self, GrpcStdioServer};
use crate::tasks::Tasks;

/// What the services are made of.
pub(super) struct Parts {
    pub(super) metadata_mode: bool,
    pub(super) options: Options,
    pub(super) factory: Arc<dyn Factory>,
    pub(super) client_tls: Arc<ClientConfig>,
    pub(super) tasks: Tasks,
    pub(super) shut_down: CancellationToken,
}

/// All services of the main socket.
#[derive(Clone)]
pub(super) struct Services {
    backend: BackendServer<BackendService>,
    broker: GrpcBrokerServer<Broker>,
    controller: GrpcControllerServer<Controller>,
    stdio: GrpcStdioServer<Silent>,
    health: HealthServer<Healthy>,
    version: PluginVersionServer<Version>,
    multiplexing: Option<PluginMultiplexingServer<Multiplexed>>,
}

impl Services {
    pub(super) fn new(parts: Parts) -> Self {
        let broker = Broker::new(parts.tasks.clone(), parts.options.end_of_broker);
        let backend = BackendService::new(
            broker.clone(),
            parts.client_tls,
            parts.tasks,
            parts.factory,
            parts.options.multiplexed,
            parts.metadata_mode,
        );
        let controller = Controller {
            shut_down: (!parts.options.ignore_shutdown).then_some(parts.shut_down),
        };
        Self {
            backend: BackendServer::new(backend).max_decoding_message_size(MAX_MESSAGE),
            broker: GrpcBrokerServer::new(broker),
            controller: GrpcControllerServer::new(controller),
            stdio: GrpcStdioServer::new(Silent),
            health: HealthServer::new(Healthy),
            version: PluginVersionServer::new(Version(parts.options.version)),
            multiplexing: parts
                .options
                .multiplexed
                .then(|| PluginMultiplexingServer::new(Multiplexed)),
        }
    }
}

impl Service<Request<Received>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Received>) -> Self::Future {
        match (
            request.uri().path().split('/').nth(1),
            &mut self.multiplexing,
        ) {
            (Some(backend_server::SERVICE_NAME), _) => self.backend.call(request),
            (Some(grpc_broker_server::SERVICE_NAME), _) => self.broker.call(request),
            (Some(grpc_controller_server::SERVICE_NAME), _) => self.controller.call(request),
            (Some(grpc_stdio_server::SERVICE_NAME), _) => self.stdio.call(request),
            (Some(health_server::SERVICE_NAME), _) => self.health.call(request),
            (Some(plugin_version_server::SERVICE_NAME), _) => self.version.call(request),
            (Some(plugin_multiplexing_server::SERVICE_NAME), Some(multiplexing)) => {
                multiplexing.call(request)
            }
            _ => Box::pin(async { Ok(Status::unimplemented("unknown service").into_http()) }),
        }
    }
}
