//! One HTTP/1.1 connection, used for one request at a time.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{Error, Reply, Request, Target};

/// An open connection. Dropping it closes it, also in the middle of an exchange: that is how a client goes away.
pub struct Connection {
    target: Target,
    sender: http1::SendRequest<Full<Bytes>>,
    // Reads and writes the socket. Ends with the connection, and with this handle.
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    pub(crate) async fn open(target: Target, tasks: &TaskTracker) -> Result<Self, Error> {
        let address = target.address;
        let stream = TcpStream::connect(address)
            .await
            .map_err(|source| Error::Connect { address, source })?;
        stream
            .set_nodelay(true)
            .map_err(|source| Error::Connect { address, source })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Error::Exchange { address, source })?;
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
            address: self.target.address,
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

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.target.address)
            .field("open", &self.is_open())
            .finish()
    }
}
