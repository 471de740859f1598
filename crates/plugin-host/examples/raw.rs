//! A plugin written straight on the protocol, for this crate's tests: it does what no SDK does. It
//! floods the stdio stream, ends its broker stream when it is told to, and has one thread only, so
//! that a busy request keeps it from answering anything else.
//!
//! `RAW` in its environment has words with commas between them: `no-stdio` and `no-initialize` leave
//! a method out, `dial=MS` has Setup connect back so late and call the host with what newer SDKs send.

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use linchpin_crypto::tls::{self, OneTimeIdentity};
use linchpin_goplugin::names::{
    BACKEND_VERSION, CONNECTION_WINDOW, MAX_MESSAGE, MULTIPLEX_ID, STREAM_WINDOW, env,
};
use linchpin_goplugin::proto::health::health_server::{Health, HealthServer};
use linchpin_goplugin::proto::health::{HealthCheckRequest, HealthCheckResponse};
use linchpin_goplugin::proto::logical::plugin_version_server::{
    PluginVersion, PluginVersionServer,
};
use linchpin_goplugin::proto::logical::{self, VersionReply};
use linchpin_goplugin::proto::multiplexing::plugin_multiplexing_server::{
    PluginMultiplexing, PluginMultiplexingServer,
};
use linchpin_goplugin::proto::multiplexing::{
    MultiplexingSupportRequest, MultiplexingSupportResponse,
};
use linchpin_goplugin::proto::pb::backend_server::{Backend, BackendServer};
use linchpin_goplugin::proto::pb::storage_client::StorageClient;
use linchpin_goplugin::proto::pb::system_view_client::SystemViewClient;
use linchpin_goplugin::proto::pb::{self, HandleRequestReply, SetupReply, TypeReply};
use linchpin_goplugin::proto::plugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use linchpin_goplugin::proto::plugin::grpc_controller_server::{
    GrpcController, GrpcControllerServer,
};
use linchpin_goplugin::proto::plugin::grpc_stdio_server::{GrpcStdio, GrpcStdioServer};
use linchpin_goplugin::proto::plugin::{ConnInfo, Empty, StdioData};
use linchpin_goplugin::{Address, Handshake};
use std::convert::Infallible;
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codegen::Service as _;
use tonic::{Request, Response, Status, Streaming};

/// What is printed over the stdio stream: ten MiB.
const PIECES: u64 = 10 * 1024;

type Answer<T> = Result<Response<T>, Status>;
type Pieces<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Clone, Default)]
struct Raw(Arc<State>);

#[derive(Default)]
struct State {
    printed: AtomicU64,
    broker: CancellationToken,
    end: CancellationToken,
    /// What the host has announced.
    announced: watch::Sender<Vec<ConnInfo>>,
    /// The instance whose requests are not read.
    stalled: OnceLock<Vec<u8>>,
    client: OnceLock<TlsConnector>,
    tasks: TaskTracker,
}

fn told(word: &str) -> Option<String> {
    let words = std::env::var("RAW").unwrap_or_default();
    let found = words.split(',').find_map(|w| w.strip_prefix(word));
    found.map(str::to_owned)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = tls::certificate_from_pem(&std::env::var(env::CLIENT_CERT)?)?;
    let own = OneTimeIdentity::generate(SystemTime::now())?;
    let acceptor = TlsAcceptor::from(tls::server_config(&own, host.clone())?);
    let path = PathBuf::from(std::env::var(env::UNIX_SOCKET_DIR)?).join("socket-of-raw");
    let listener = UnixListener::bind(&path)?;
    let handshake = Handshake {
        app_version: BACKEND_VERSION,
        address: Address::Unix(path),
        certificate: Some(own.certificate().to_vec()),
        broker_multiplexing: None,
    };
    writeln!(std::io::stdout(), "{handshake}")?;
    let raw = Raw::default();
    let connector = TlsConnector::from(tls::client_config(&own, host)?);
    let _ = raw.0.client.set(connector);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = raw.0.end.cancelled() => return Ok(()),
        };
        let stream = acceptor.accept(stream).await?;
        let (raw, tasks) = (raw.clone(), raw.0.tasks.clone());
        let service = service_fn(move |request| raw.clone().answer(request));
        let connection = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .serve_connection(TokioIo::new(stream), service);
        tasks.spawn(connection);
    }
}

impl Raw {
    /// Hands a call to its service.
    async fn answer(
        self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<tonic::body::Body>, Infallible> {
        let path = request.uri().path().to_owned();
        let id = request.headers().get(MULTIPLEX_ID).map(|id| id.as_bytes());
        if path.ends_with("/HandleRequest")
            && id.is_some()
            && id == self.0.stalled.get().map(|s| &s[..])
        {
            // The message stays where it is, as far as the windows let it come.
            self.0.end.cancelled().await;
            drop(request);
            return Ok(Status::unavailable("it has ended").into_http());
        }
        if path.starts_with("/plugin.GRPCStdio") && told("no-stdio").is_some() {
            return Ok(Status::unimplemented("no stdio").into_http());
        }
        match path.split('/').nth(1).unwrap_or_default() {
            "pb.Backend" => {
                let mut backend = BackendServer::new(self).max_decoding_message_size(MAX_MESSAGE);
                backend.call(request).await
            }
            "plugin.GRPCBroker" => GrpcBrokerServer::new(self).call(request).await,
            "plugin.GRPCController" => GrpcControllerServer::new(self).call(request).await,
            "plugin.GRPCStdio" => GrpcStdioServer::new(self).call(request).await,
            "grpc.health.v1.Health" => HealthServer::new(self).call(request).await,
            "logical.PluginVersion" => PluginVersionServer::new(self).call(request).await,
            "pluginutil.multiplexing.PluginMultiplexing" => {
                PluginMultiplexingServer::new(self).call(request).await
            }
            other => Ok(Status::unimplemented(other).into_http()),
        }
    }
}

#[tonic::async_trait]
impl Backend for Raw {
    async fn handle_request(
        &self,
        request: Request<pb::HandleRequestArgs>,
    ) -> Answer<HandleRequestReply> {
        let id = request.metadata().get(MULTIPLEX_ID);
        let id = id.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let path = request.into_inner().request.unwrap_or_default().path;
        if path == "stall" {
            let _ = self.0.stalled.set(id);
        }
        if let Some(time) = path.strip_prefix("busy/") {
            let time = Duration::from_millis(time.parse().unwrap_or_default());
            let began = Instant::now();
            while began.elapsed() < time {
                std::hint::spin_loop();
            }
        }
        if path == "end-broker" {
            self.0.broker.cancel();
        }
        let printed = self.0.printed.load(Ordering::Relaxed);
        let pid = std::process::id();
        Ok(Response::new(HandleRequestReply {
            response: Some(pb::Response {
                data: format!("{{\"pid\":{pid},\"printed\":{printed}}}"),
                ..pb::Response::default()
            }),
            err: None,
        }))
    }

    async fn special_paths(&self, _: Request<pb::Empty>) -> Answer<pb::SpecialPathsReply> {
        Ok(Response::new(Default::default()))
    }

    async fn handle_existence_check(
        &self,
        _: Request<pb::HandleExistenceCheckArgs>,
    ) -> Answer<pb::HandleExistenceCheckReply> {
        Ok(Response::new(Default::default()))
    }

    async fn cleanup(&self, _: Request<pb::Empty>) -> Answer<pb::Empty> {
        Ok(Response::new(Default::default()))
    }

    async fn invalidate_key(&self, _: Request<pb::InvalidateKeyArgs>) -> Answer<pb::Empty> {
        Ok(Response::new(Default::default()))
    }

    async fn setup(&self, request: Request<pb::SetupArgs>) -> Answer<SetupReply> {
        let Some(late) = told("dial=") else {
            return Ok(Response::new(Default::default()));
        };
        let late = Duration::from_millis(late.parse().unwrap_or_default());
        let called = self.call_back(request.into_inner().broker_id, late).await;
        let err = called
            .err()
            .map_or(String::new(), |error| error.to_string());
        Ok(Response::new(SetupReply { err }))
    }

    async fn initialize(&self, _: Request<pb::InitializeArgs>) -> Answer<pb::InitializeReply> {
        if told("no-initialize").is_some() {
            return Err(Status::unimplemented("no Initialize"));
        }
        Ok(Response::new(Default::default()))
    }

    async fn r#type(&self, _: Request<pb::Empty>) -> Answer<TypeReply> {
        Ok(Response::new(TypeReply { r#type: 1 }))
    }
}

impl Raw {
    /// Connects to the instance's socket, late, and calls it as plugins of the newest SDKs do: with
    /// metadata that this host does not know, which must not matter.
    async fn call_back(&self, id: u32, late: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut announced = self.0.announced.subscribe();
        let seen = announced.wait_for(|all| all.iter().any(|info| info.service_id == id));
        let info = seen
            .await?
            .iter()
            .find(|info| info.service_id == id)
            .cloned();
        let info = info.ok_or("nothing announced")?;
        tokio::time::sleep(late).await;
        let stream = UnixStream::connect(&info.address).await?;
        let client = self.0.client.get().ok_or("no TLS")?;
        let stream = client.connect(tls::server_name(), stream).await?;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await?;
        self.0.tasks.spawn(async move {
            let _ = connection.await;
        });
        let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
            sender.clone().send_request(request)
        });
        let origin = http::Uri::from_static("http://localhost");
        let mut list = Request::new(pb::StorageListArgs::default());
        for (key, value) in [
            ("snapshot_id", "x"),
            ("index_state_cluster_id", ""),
            ("index_state_local", "0"),
            ("index_state_replicated", "0"),
        ] {
            list.metadata_mut().insert(key, value.parse()?);
        }
        let mut storage = StorageClient::with_origin(service.clone(), origin.clone());
        let listed = storage.list(list).await?.into_inner();
        if !listed.err.is_empty() {
            return Err(listed.err.into());
        }
        let mut system = SystemViewClient::with_origin(service, origin);
        let environment = system.plugin_env(pb::Empty {}).await?.into_inner();
        let environment = environment.plugin_environment;
        environment.ok_or("an answer without plugin_environment")?;
        Ok(())
    }
}

#[tonic::async_trait]
impl GrpcBroker for Raw {
    type StartStreamStream = Pieces<ConnInfo>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Answer<Self::StartStreamStream> {
        let (state, mut infos) = (Arc::clone(&self.0), request.into_inner());
        self.0.tasks.spawn(async move {
            while let Some(Ok(info)) = infos.next().await {
                state.announced.send_modify(|all| all.push(info));
            }
        });
        let end = self.0.broker.clone().cancelled_owned();
        Ok(Response::new(Box::pin(Nothing(Box::pin(end)))))
    }
}

/// A stream of nothing that ends when its future does.
struct Nothing(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Stream for Nothing {
    type Item = Result<ConnInfo, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll(cx).map(|()| None)
    }
}

#[tonic::async_trait]
impl GrpcController for Raw {
    async fn shutdown(&self, _: Request<Empty>) -> Answer<Empty> {
        self.0.end.cancel();
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Raw {
    type StreamStdioStream = Pieces<StdioData>;

    async fn stream_stdio(&self, _: Request<()>) -> Answer<Self::StreamStdioStream> {
        let state = Arc::clone(&self.0);
        let pieces = tokio_stream::iter(0..PIECES).map(move |_| {
            state.printed.fetch_add(1, Ordering::Relaxed);
            let mut data = vec![b'x'; 1023];
            data.push(b'\n');
            Ok(StdioData { channel: 1, data })
        });
        Ok(Response::new(Box::pin(pieces)))
    }
}

#[tonic::async_trait]
impl Health for Raw {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }
}

#[tonic::async_trait]
impl PluginVersion for Raw {
    async fn version(&self, _: Request<logical::Empty>) -> Answer<VersionReply> {
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl PluginMultiplexing for Raw {
    async fn multiplexing_support(
        &self,
        _: Request<MultiplexingSupportRequest>,
    ) -> Answer<MultiplexingSupportResponse> {
        Ok(Response::new(MultiplexingSupportResponse {
            supported: true,
        }))
    }
}
