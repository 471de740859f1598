//! A small client for Vault's HTTP API: a method, a path below `/v1/` and a JSON body in; status, headers and JSON out.
//!
//! It answers with what the server said, whatever the status: a 404 is a [`Reply`], not an error, because commands and tests
//! both want to look at it. Only what kept an answer from arriving is an [`Error`]. It never repeats a request by itself, so that
//! a caller who counts failures counts each of them.
//!
//! HTTP/1.1 over TCP, over TLS ([`TlsSettings`] says whom to trust), or over a Unix socket.

mod connection;
mod endpoint;
mod escape;
mod reply;
mod request;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

pub use connection::Connection;
pub use endpoint::{Endpoint, EndpointError};
pub use escape::{escape_path, escape_query};
pub use http::{HeaderName, HeaderValue, Method};
pub use reply::Reply;
pub use request::Request;
pub use tls::{ClientIdentity, TlsError, TlsSettings};

use endpoint::Place;
use tls::Tls;

/// How long a call may take when the request does not say otherwise: somewhat more than the server's own limit of 90 s, so that
/// the server's answer wins.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(100);

/// Connections that are kept open while nobody uses them; more than this many are closed after their answer.
const IDLE_CONNECTIONS: usize = 32;

/// One server's API, with the token that requests carry unless they bring their own. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    target: Target,
    token: Option<Arc<str>>,
    shared: Arc<Shared>,
}

/// What a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A TCP port, with or without TLS.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(socket) => socket.display().fmt(f),
        }
    }
}

/// Where requests go, and what they say of it.
#[derive(Clone)]
pub(crate) struct Target {
    peer: Peer,
    /// Spoken over a TCP connection before HTTP is.
    tls: Option<Tls>,
    /// The header `Host`.
    host: Arc<str>,
    /// What stands before `/v1/`.
    prefix: Arc<str>,
}

struct Shared {
    idle: Mutex<Vec<Connection>>,
    tasks: TaskTracker,
}

impl Client {
    /// A client without a token for the server at `address`, without TLS. Nothing is connected before the first request.
    pub fn new(address: SocketAddr) -> Self {
        Self::to(Target {
            peer: Peer::Tcp(address),
            tls: None,
            host: address.to_string().into(),
            prefix: "".into(),
        })
    }

    /// A client without a token for `endpoint`; `tls` counts where its address asks for TLS. A name is looked up, and of its
    /// addresses the first is taken that accepts a connection, which the first request then uses.
    ///
    /// # Errors
    /// The settings cannot be used, the name is unknown, nobody listens at any of its addresses, or whoever does is not trusted.
    pub async fn reach(
        endpoint: &Endpoint,
        tls: &TlsSettings,
        limit: Duration,
    ) -> Result<Self, Error> {
        tokio::time::timeout(limit, Self::search(endpoint, tls))
            .await
            .unwrap_or(Err(Error::TimedOut { limit }))
    }

    async fn search(endpoint: &Endpoint, settings: &TlsSettings) -> Result<Self, Error> {
        let at = |peer, tls| Target {
            peer,
            tls,
            host: endpoint.authority().into(),
            prefix: endpoint.shared_prefix(),
        };
        let (host, port, tls) = match endpoint.place() {
            Place::Unix(socket) => {
                return Self::connected(at(Peer::Unix(socket.clone()), None)).await;
            }
            Place::Tcp { host, port, tls } => (host, *port, *tls),
        };
        let tls = tls.then(|| Tls::new(settings, host)).transpose();
        let tls = tls.map_err(|source| Error::Settings { source })?;
        let unknown = |source| Error::Unknown {
            host: host.clone(),
            source,
        };
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let mut failure = unknown(std::io::ErrorKind::NotFound.into());
        for address in found.map_err(unknown)? {
            match Self::connected(at(Peer::Tcp(address), tls.clone())).await {
                Ok(client) => return Ok(client),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A client with a connection to `target` that the first request uses.
    async fn connected(target: Target) -> Result<Self, Error> {
        let client = Self::to(target);
        let connection = client.connect().await?;
        client.give_back(connection);
        Ok(client)
    }

    fn to(target: Target) -> Self {
        let shared = Shared {
            idle: Mutex::new(Vec::new()),
            tasks: TaskTracker::new(),
        };
        Self {
            target,
            token: None,
            shared: Arc::new(shared),
        }
    }

    /// The same client with `token` as its default `X-Vault-Token`.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// Where requests go.
    pub fn peer(&self) -> &Peer {
        &self.target.peer
    }

    /// The default token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Opens a connection that belongs to the caller alone, for those who count connections or break them on purpose.
    pub async fn connect(&self) -> Result<Connection, Error> {
        Connection::open(self.target.clone(), &self.shared.tasks).await
    }

    /// Sends `request` and reads the whole answer.
    ///
    /// # Cancel safety
    /// A dropped future closes the connection that it used; whether the server carried the request out is unknown.
    pub async fn send(&self, request: Request) -> Result<Reply, Error> {
        let limit = request.limit();
        let exchange = async {
            let mut connection = match self.take_idle() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let reply = connection.send(request, self.token.as_deref()).await?;
            self.give_back(connection);
            Ok(reply)
        };
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or(Err(Error::TimedOut { limit }))
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<Reply, Error> {
        self.send(Request::new(Method::GET, path)).await
    }

    /// `LIST path`, with the method of that name.
    pub async fn list(&self, path: &str) -> Result<Reply, Error> {
        self.send(Request::list(path)).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Reply, Error> {
        self.send(Request::new(Method::POST, path).json(body)).await
    }

    /// `DELETE path`, without a body: the server would not read one.
    pub async fn delete(&self, path: &str) -> Result<Reply, Error> {
        self.send(Request::new(Method::DELETE, path)).await
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.shared.idle.lock();
        while let Some(connection) = idle.pop() {
            if connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.shared.idle.lock();
        if connection.is_open() && idle.len() < IDLE_CONNECTIONS {
            idle.push(connection);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.target.peer)
            .field("token", &self.token.as_ref().map(|_| "redacted"))
            .finish()
    }
}

/// Why no answer arrived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that has no address.
    #[error("look up {host}")]
    Unknown {
        /// The name.
        host: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings of TLS cannot be used.
    #[error("set TLS up")]
    Settings {
        /// What is wrong with them.
        #[source]
        source: TlsError,
    },
    /// Nobody listens there.
    #[error("connect to {address}")]
    Connect {
        /// The server's address.
        address: Peer,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The server is not trusted, or it does not trust the client, or the two have no version or cipher in common.
    #[error("TLS handshake with {address}")]
    Tls {
        /// The server's address.
        address: Peer,
        /// What the handshake came to.
        #[source]
        source: std::io::Error,
    },
    /// TLS was asked for, and the server answered with something else.
    #[error("{address} does not speak TLS: its address may begin with http://")]
    PlainText {
        /// The server's address.
        address: Peer,
    },
    /// The connection broke before the whole answer was there.
    #[error("exchange with {address} broke off")]
    Exchange {
        /// The server's address.
        address: Peer,
        /// What broke.
        #[source]
        source: hyper::Error,
    },
    /// Path, header or token cannot be written as HTTP.
    #[error("the request cannot be written as HTTP")]
    Unwritable {
        /// Which part is wrong.
        #[source]
        source: http::Error,
    },
    /// No answer within the limit of the request.
    #[error("no answer within {limit:?}")]
    TimedOut {
        /// The limit that passed.
        limit: Duration,
    },
    /// The answer's body was expected to be JSON and is not.
    #[error("the answer with status {status} is not JSON")]
    NotJson {
        /// The answer's status.
        status: u16,
        /// Where the parser stopped.
        #[source]
        source: serde_json::Error,
    },
}
