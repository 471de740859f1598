//! The small services of a plugin: health, controller, stdio, multiplexing, version.

use std::pin::Pin;

use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::names::HEALTH_SERVICE;
use crate::proto::health::health_check_response::ServingStatus;
use crate::proto::health::health_server::Health;
use crate::proto::health::{HealthCheckRequest, HealthCheckResponse};
use crate::proto::logical::plugin_version_server::PluginVersion;
use crate::proto::logical::{self, VersionReply};
use crate::proto::multiplexing::plugin_multiplexing_server::PluginMultiplexing;
use crate::proto::multiplexing::{MultiplexingSupportRequest, MultiplexingSupportResponse};
use crate::proto::plugin::grpc_controller_server::GrpcController;
use crate::proto::plugin::grpc_stdio_server::GrpcStdio;
use crate::proto::plugin::{self, StdioData};

/// Answers health checks.
#[derive(Clone)]
pub(super) struct Healthy;

#[tonic::async_trait]
impl Health for Healthy {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            "" | HEALTH_SERVICE => Ok(Response::new(HealthCheckResponse {
                status: ServingStatus::Serving.into(),
            })),
            _ => Err(Status::not_found("unknown service")),
        }
    }
}

/// Ends the process, unless it was told not to.
#[derive(Clone)]
pub(super) struct Controller {
    /// Cancelled by Shutdown.
    pub(super) shut_down: Option<CancellationToken>,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<plugin::Empty>) -> Result<Response<plugin::Empty>, Status> {
        if let Some(shut_down) = &self.shut_down {
            shut_down.cancel();
        }
        Ok(Response::new(plugin::Empty {}))
    }
}

/// Says nothing and stays open: what this plugin has to say goes to stderr.
#[derive(Clone)]
pub(super) struct Silent;

#[tonic::async_trait]
impl GrpcStdio for Silent {
    type StreamStdioStream = Pin<Box<dyn Stream<Item = Result<StdioData, Status>> + Send>>;

    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::pending())))
    }
}

/// Says that one process serves many instances. Only registered when it does.
#[derive(Clone)]
pub(super) struct Multiplexed;

#[tonic::async_trait]
impl PluginMultiplexing for Multiplexed {
    async fn multiplexing_support(
        &self,
        _: Request<MultiplexingSupportRequest>,
    ) -> Result<Response<MultiplexingSupportResponse>, Status> {
        Ok(Response::new(MultiplexingSupportResponse {
            supported: true,
        }))
    }
}

/// Says the version, to whoever asks.
#[derive(Clone)]
pub(super) struct Version(pub(super) String);

#[tonic::async_trait]
impl PluginVersion for Version {
    async fn version(&self, _: Request<logical::Empty>) -> Result<Response<VersionReply>, Status> {
        Ok(Response::new(VersionReply {
            plugin_version: self.0.clone(),
        }))
    }
}
