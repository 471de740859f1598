//! The connection to one plugin process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use linchpin_crypto::tls::{self, OneTimeIdentity};
use prost::Message;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::broker::Broker;
use super::{Error, Instance, Setup};
use crate::handshake::{Address, Handshake};
use crate::link::Link;
use crate::names::{HEALTH_SERVICE, MAX_ANSWER};
use crate::proto::health::health_check_response::ServingStatus;
use crate::proto::health::{HealthCheckRequest, HealthCheckResponse};
use crate::proto::multiplexing::{MultiplexingSupportRequest, MultiplexingSupportResponse};
use crate::proto::plugin::grpc_stdio_client::GrpcStdioClient;
use crate::proto::plugin::{Empty, StdioData, stdio_data::Channel};
use crate::tasks::Tasks;

/// Which of a plugin's outputs a piece of text was printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes what a plugin prints after its handshake, in pieces of any size. Called from the connection's task: it must not block.
pub type OutputSink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// What it takes to connect to a process.
pub struct Open<'a> {
    /// What the process said.
    pub handshake: &'a Handshake,
    /// Our key and certificate, which the process was given in `PLUGIN_CLIENT_CERT`. A handshake without certificate means no TLS.
    pub identity: &'a OneTimeIdentity,
    /// A private folder of the process. Sockets of instances are made in it, so its path must be short.
    pub socket_dir: PathBuf,
    /// Cancelled when the process has exited: every call then ends with [`Error::ShutDown`].
    pub exited: CancellationToken,
    /// Takes what the plugin prints; the stream is drained with or without it.
    pub output: Option<OutputSink>,
}

/// One plugin process: its main connection, its broker, and its instances. Belongs to this process and never reconnects.
///
/// Cheap to clone. It ends with [`Connection::shutdown`], with the process, or with its last clone and instance.
#[derive(Clone)]
pub struct Connection {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) broker: Broker,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) socket_dir: PathBuf,
    pub(super) tasks: Tasks,
}

impl Connection {
    /// Connects to the main socket of a process, with TLS and HTTP/2, and opens the broker and stdio streams without waiting for
    /// them. Nothing here has a time limit of its own; the caller bounds the start as a whole.
    ///
    /// # Cancel safety
    /// When dropped, nothing of it is left.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Tls`] or [`Error::Http2`]: which step failed.
    pub async fn open(open: Open<'_>) -> Result<Self, Error> {
        let tasks = Tasks::new(open.exited.child_token());
        let stop_unless_done = tasks.stop().clone().drop_guard();
        let peer = open.handshake.certificate.as_ref();
        let (connector, acceptor) = match peer {
            None => (None, None),
            Some(der) => {
                let client = tls::client_config(open.identity, der.clone().into());
                let server = tls::server_config(open.identity, der.clone().into());
                (
                    Some(TlsConnector::from(client.map_err(Error::Tls)?)),
                    Some(TlsAcceptor::from(server.map_err(Error::Tls)?)),
                )
            }
        };
        let link = match &open.handshake.address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(cannot_connect)?;
                secure(stream, connector, &tasks).await?
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(cannot_connect)?;
                stream.set_nodelay(true).map_err(cannot_connect)?;
                secure(stream, connector, &tasks).await?
            }
        };
        let broker = Broker::open(link.clone(), &tasks);
        drain_output(link.clone(), open.output, &tasks);
        stop_unless_done.disarm();
        Ok(Self {
            shared: Arc::new(Shared {
                link,
                broker,
                tls: acceptor,
                socket_dir: open.socket_dir,
                tasks,
            }),
        })
    }

    /// Whether the process serves many instances. A plugin without the service does not.
    ///
    /// # Errors
    /// Any failure but `Unimplemented`.
    pub async fn multiplexing_supported(&self) -> Result<bool, Error> {
        let path = "/pluginutil.multiplexing.PluginMultiplexing/MultiplexingSupport";
        let answer: Result<MultiplexingSupportResponse, Error> = self
            .call(path, HeaderMap::new(), &MultiplexingSupportRequest {})
            .await;
        match answer {
            Ok(answer) => Ok(answer.supported),
            Err(error) if error.is_unimplemented() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One health check, on a stream of its own (plugin-protocol §1.10). The caller bounds its time.
    ///
    /// # Errors
    /// The call's failure; [`Error::Status`] when the plugin says that it does not serve.
    pub async fn health(&self) -> Result<(), Error> {
        let request = HealthCheckRequest {
            service: HEALTH_SERVICE.to_owned(),
        };
        let path = "/grpc.health.v1.Health/Check";
        let answer: HealthCheckResponse = self.call(path, HeaderMap::new(), &request).await?;
        if answer.status() == ServingStatus::Serving {
            Ok(())
        } else {
            Err(Error::Status {
                code: "Unavailable",
                message: format!("health check answers {}", answer.status().as_str_name()),
            })
        }
    }

    /// Sets an instance up: makes its socket, serves `setup.storage` and `setup.system` on it, announces it, calls Setup
    /// (plugin-protocol §5.1, steps 9 and 10). It has a new random multiplex id.
    ///
    /// # Cancel safety
    /// When dropped or failed, the socket is gone. The plugin may keep an instance that nobody will ever address; it costs memory
    /// in that process and can reach nothing.
    ///
    /// # Errors
    /// [`Error::Setup`] with the plugin's text, [`Error::BrokerEnded`] when this process takes no further instance, or the call's failure.
    pub async fn setup(&self, setup: Setup) -> Result<Instance, Error> {
        Instance::setup(self.clone(), setup).await
    }

    /// How many calls the process has answered, of whatever kind: one that answers is not hung (plugin-protocol §1.10).
    #[must_use]
    pub fn calls_answered(&self) -> u64 {
        self.shared.link.answered()
    }

    /// Whether no instance can be added: the broker stream or the connection has ended, or the process is being stopped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_lost() || self.shared.broker.has_ended()
    }

    /// Whether the instances that are there can be called no more: the connection has ended, or the process is being stopped. The end
    /// of the broker stream alone is none (plugin-protocol §1.12).
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.link.is_closed() || self.shared.tasks.stop().is_cancelled()
    }

    /// Asks the process to stop (plugin-protocol §1.14, steps 1 to 3): ends the broker and the sockets of all instances, calls
    /// Shutdown for at most `patience`, and closes the connection. Whatever was in flight ends with [`Error::ShutDown`]. Waiting for
    /// the exit, and killing, is the caller's.
    pub async fn shutdown(&self, patience: Duration) {
        self.shared.broker.close();
        let path = "/plugin.GRPCController/Shutdown";
        let asked = self.call::<_, Empty>(path, HeaderMap::new(), &Empty {});
        // The usual outcome is a broken connection, and any outcome is as good.
        let _ = tokio::time::timeout(patience, asked).await;
        self.shared.tasks.finish().await;
    }

    /// One call. It ends with the process at the latest.
    pub(super) async fn call<M, A>(
        &self,
        path: &'static str,
        headers: HeaderMap,
        message: &M,
    ) -> Result<A, Error>
    where
        M: Message,
        A: Message + Default,
    {
        let called = self.shared.link.unary(path, headers, message, MAX_ANSWER);
        match called.await.map_err(Error::from_call) {
            // What the end of the tasks cuts off breaks like any connection.
            Err(Error::Transport(_)) if self.shared.tasks.stop().is_cancelled() => {
                Err(Error::ShutDown)
            }
            outcome => outcome,
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("socket_dir", &self.shared.socket_dir)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tasks.stop().cancel();
    }
}

fn cannot_connect(source: std::io::Error) -> Error {
    Error::Io {
        doing: "connect to the plugin's socket",
        source,
    }
}

/// TLS with the pinned peer, if there is a certificate, and HTTP/2 on top.
async fn secure<I>(stream: I, tls: Option<TlsConnector>, tasks: &Tasks) -> Result<Link, Error>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    match tls {
        None => Link::open(stream, tasks).await.map_err(Error::Http2),
        Some(tls) => {
            let secured = tls.connect(tls::server_name(), stream).await;
            let stream = secured.map_err(|source| Error::Io {
                doing: "make a TLS connection to the plugin",
                source,
            })?;
            Link::open(stream, tasks).await.map_err(Error::Http2)
        }
    }
}

/// Takes what the plugin prints for as long as it lives, with or without somebody to read it: an undrained plugin blocks. A plugin
/// without the service ends the task at once, and that is not an error.
fn drain_output(link: Link, sink: Option<OutputSink>, tasks: &Tasks) {
    tasks.spawn(async move {
        let mut client = GrpcStdioClient::with_origin(link, Link::origin())
            .max_decoding_message_size(MAX_ANSWER);
        let Ok(stream) = client.stream_stdio(()).await else {
            return;
        };
        let mut stream = stream.into_inner();
        while let Some(Ok(piece)) = stream.next().await {
            if let Some(sink) = &sink {
                deliver(sink, &piece);
            }
        }
    });
}

fn deliver(sink: &OutputSink, piece: &StdioData) {
    match piece.channel() {
        Channel::Stdout => sink(Stream::Stdout, &piece.data),
        Channel::Stderr => sink(Stream::Stderr, &piece.data),
        Channel::Invalid => {}
    }
}
