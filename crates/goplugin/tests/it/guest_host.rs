//! A host that offers as little as a host may: storage of four calls and nothing else, as Vault's oldest do. It speaks to the plugin
//! with plain gRPC clients, so that a test sees the very messages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use linchpin_crypto::tls::{self, OneTimeIdentity};
use linchpin_engine::{BoxFuture, Context, Error};
use linchpin_goplugin::guest::Running;
use linchpin_goplugin::names::MULTIPLEX_ID;
use linchpin_goplugin::proto::pb;
use linchpin_goplugin::proto::pb::backend_client::BackendClient;
use linchpin_goplugin::proto::pb::storage_server::{Storage, StorageServer};
use linchpin_goplugin::proto::plugin::ConnInfo;
use linchpin_goplugin::proto::plugin::grpc_broker_client::GrpcBrokerClient;
use linchpin_goplugin::{Address, Handshake};
use linchpin_model::{Request, Response};
use parking_lot::Mutex;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response as Reply, Status};

use crate::pair::{self, Engine, folder, identity};

/// What the plugin's engine does with a request: a [`pair::Handler`] that captures nothing.
pub(crate) type Handler =
    fn(Arc<Engine>, Context, Request) -> BoxFuture<'static, Result<Option<Response>, Error>>;

/// The host and its plugin.
pub(crate) struct BareHost {
    pub(crate) channel: Channel,
    _plugin: Running,
    announce: mpsc::Sender<ConnInfo>,
    own: OneTimeIdentity,
    handshake: Handshake,
    folder: PathBuf,
    next: AtomicU32,
    tasks: TaskTracker,
}

impl Drop for BareHost {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A message that carries this id, or none.
pub(crate) fn with_id<T>(id: Option<&str>, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if let Some(id) = id {
        request
            .metadata_mut()
            .insert(MULTIPLEX_ID, id.parse().unwrap());
    }
    request
}

impl BareHost {
    pub(crate) async fn start(multiplexed: bool, handler: Handler) -> Self {
        let (own, folder) = (identity(), folder());
        let plugin = pair::plugin(&own, &folder, multiplexed, Arc::new(handler));
        let handshake = plugin.handshake().clone();
        let socket = match handshake.address.clone() {
            Address::Unix(socket) => Some(socket),
            Address::Tcp(_) => None,
        };
        let socket = socket.unwrap();
        let theirs = handshake.certificate.clone().unwrap();
        let connector = TlsConnector::from(tls::client_config(&own, theirs.into()).unwrap());
        let channel = Endpoint::from_static("http://localhost")
            .connect_with_connector(tower::service_fn(move |_| {
                let (connector, socket) = (connector.clone(), socket.clone());
                async move {
                    let stream = UnixStream::connect(socket).await?;
                    let stream = connector.connect(tls::server_name(), stream).await?;
                    Ok::<_, std::io::Error>(TokioIo::new(stream))
                }
            }))
            .await
            .unwrap();
        let (announce, announced) = mpsc::channel(8);
        let mut broker = GrpcBrokerClient::new(channel.clone());
        let tasks = TaskTracker::new();
        // Its answer comes with the plugin's first message, which is never.
        tasks.spawn(async move { broker.start_stream(ReceiverStream::new(announced)).await });
        Self {
            channel,
            _plugin: plugin,
            announce,
            own,
            handshake,
            folder,
            next: AtomicU32::new(1),
            tasks,
        }
    }

    pub(crate) fn backend(&self) -> BackendClient<Channel> {
        BackendClient::new(self.channel.clone())
    }

    /// Setup with a storage of its own behind it.
    pub(crate) async fn setup(&self, id: Option<&str>) -> Result<pb::SetupReply, Status> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let socket = self.folder.join(format!("h{number}"));
        let theirs = self.handshake.certificate.clone().unwrap();
        let acceptor = TlsAcceptor::from(tls::server_config(&self.own, theirs.into()).unwrap());
        let listener = UnixListener::bind(&socket).unwrap();
        let service = StorageServer::new(FourCalls::default());
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                // Whatever is not storage is an unknown method to it, too.
                let service = TowerToHyperService::new(service.clone());
                let connection = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service);
                tasks.spawn(connection);
            }
        });
        let info = ConnInfo {
            service_id: number,
            network: "unix".to_owned(),
            address: socket.display().to_string(),
            knock: None,
        };
        self.announce.send(info).await.unwrap();
        let args = pb::SetupArgs {
            broker_id: number,
            ..pb::SetupArgs::default()
        };
        let reply = self.backend().setup(with_id(id, args)).await?;
        Ok(reply.into_inner())
    }

    /// A request of this operation.
    pub(crate) async fn ask(
        &self,
        id: Option<&str>,
        operation: &str,
        path: &str,
    ) -> Result<pb::HandleRequestReply, Status> {
        let args = pb::HandleRequestArgs {
            request: Some(pb::Request {
                operation: operation.to_owned(),
                path: path.to_owned(),
                data: "null".to_owned(),
                ..pb::Request::default()
            }),
            ..pb::HandleRequestArgs::default()
        };
        let reply = self.backend().handle_request(with_id(id, args)).await?;
        Ok(reply.into_inner())
    }
}

/// The four calls that every host's storage has.
#[derive(Default)]
struct FourCalls(Mutex<BTreeMap<String, pb::StorageEntry>>);

fn unknown<T>() -> Result<T, Status> {
    Err(Status::unimplemented("unknown method"))
}

#[tonic::async_trait]
impl Storage for FourCalls {
    async fn list(
        &self,
        request: tonic::Request<pb::StorageListArgs>,
    ) -> Result<Reply<pb::StorageListReply>, Status> {
        let prefix = request.into_inner().prefix;
        let entries = self.0.lock();
        let keys = entries.keys().filter_map(|key| key.strip_prefix(&prefix));
        Ok(Reply::new(pb::StorageListReply {
            keys: keys.map(str::to_owned).collect(),
            err: String::new(),
        }))
    }

    async fn get(
        &self,
        request: tonic::Request<pb::StorageGetArgs>,
    ) -> Result<Reply<pb::StorageGetReply>, Status> {
        let entry = self.0.lock().get(&request.into_inner().key).cloned();
        Ok(Reply::new(pb::StorageGetReply {
            entry,
            err: String::new(),
        }))
    }

    async fn put(
        &self,
        request: tonic::Request<pb::StoragePutArgs>,
    ) -> Result<Reply<pb::StoragePutReply>, Status> {
        let entry = request.into_inner().entry.unwrap();
        self.0.lock().insert(entry.key.clone(), entry);
        Ok(Reply::new(pb::StoragePutReply::default()))
    }

    async fn delete(
        &self,
        request: tonic::Request<pb::StorageDeleteArgs>,
    ) -> Result<Reply<pb::StorageDeleteReply>, Status> {
        self.0.lock().remove(&request.into_inner().key);
        Ok(Reply::new(pb::StorageDeleteReply::default()))
    }

    async fn list_page(
        &self,
        _: tonic::Request<pb::StorageListPageArgs>,
    ) -> Result<Reply<pb::StorageListReply>, Status> {
        unknown()
    }

    async fn is_transactional(
        &self,
        _: tonic::Request<pb::Empty>,
    ) -> Result<Reply<pb::StorageIsTransactionalReply>, Status> {
        unknown()
    }

    async fn begin_read_only_tx(
        &self,
        _: tonic::Request<pb::Empty>,
    ) -> Result<Reply<pb::StorageBeginTxReply>, Status> {
        unknown()
    }

    async fn begin_tx(
        &self,
        _: tonic::Request<pb::Empty>,
    ) -> Result<Reply<pb::StorageBeginTxReply>, Status> {
        unknown()
    }

    async fn commit(
        &self,
        _: tonic::Request<pb::StorageCommitTxArgs>,
    ) -> Result<Reply<pb::StorageCommitTxReply>, Status> {
        unknown()
    }

    async fn rollback(
        &self,
        _: tonic::Request<pb::StorageRollbackTxArgs>,
    ) -> Result<Reply<pb::StorageRollbackTxReply>, Status> {
        unknown()
    }
}
