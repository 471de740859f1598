//! One HTTP/1.1 connection, used for one request at a time: over TCP, TLS or a Unix socket.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::{self, InvalidMessage};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{Error, Peer, Reply, Request, Target};

/// An open connection. Dropping it closes it, also in the middle of an exchange: that is how a client goes away.
pub struct Connection {
    target: Target,
    sender: http1::SendRequest<Full<Bytes>>,
    // Reads and writes the socket. Ends with the connection, and with this handle.
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    pub(crate) async fn open(target: Target, tasks: &TaskTracker) -> Result<Self, Error> {
        let failed = |source| Error::Connect {
            address: target.peer.clone(),
            source,
        };
        match &target.peer {
            Peer::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                let Some(tls) = target.tls.clone() else {
                    return Self::speak(stream, target, tasks).await;
                };
                let stream = tls.connector.connect(tls.name, stream).await;
                let stream = stream.map_err(|source| no_tls(&target, source))?;
                Self::speak(stream, target, tasks).await
            }
            Peer::Unix(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(failed)?;
                Self::speak(stream, target, tasks).await
            }
        }
    }

    async fn speak<S>(stream: S, target: Target, tasks: &TaskTracker) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|source| Error::Exchange {
                    address: target.peer.clone(),
                    source,
                })?;
        // An error of the connection also ends the exchange that is under way, and is reported there.
        let driver = tasks.spawn(async { drop(connection.await) });
        Ok(Self {
            target,
            sender,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    /// Whether the server has left the connection open.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends `request` with `token`, unless the request has a token of its own, and reads the whole answer. The request's time limit
    /// is not applied here.
    pub async fn send(&mut self, request: Request, token: Option<&str>) -> Result<Reply, Error> {
        let request = request.into_http(&self.target, token)?;
        let broke = |source| Error::Exchange {
            address: self.target.peer.clone(),
            source,
        };
        self.sender.ready().await.map_err(broke)?;
        let (head, body) = self
            .sender
            .send_request(request)
            .await
            .map_err(broke)?
            .into_parts();
        let body = body.collect().await.map_err(broke)?.to_bytes();
        Ok(Reply::new(head.status, head.headers, body))
    }
}

/// What a failed handshake means. Bytes that are no TLS at all are an address with the wrong scheme, in all likelihood.
fn no_tls(target: &Target, source: io::Error) -> Error {
    let address = target.peer.clone();
    let inner = source.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            Error::PlainText { address }
        }
        _ => Error::Tls { address, source },
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.target.peer)
            .field("open", &self.is_open())
            .finish()
    }
}
