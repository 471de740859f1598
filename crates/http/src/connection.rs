//! One connection: its protocol, its time limits, its end.
//!
//! A connection is *reading* (bytes of a request's head have arrived, or it is new), *serving* (a
//! request runs) or *idle*. Reading and idle have limits, checked by one slow timer per connection
//! instead of one timer per request; a running request has its own deadline.

mod activity;
mod watched;

use crate::exchange;
use crate::server::Shared;
use activity::Activity;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use linchpin_model::Connection;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use watched::Watched;

/// Who is at the other end.
#[derive(Clone)]
pub(crate) struct Peer {
    address: String,
    port: u16,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address: address.ip().to_canonical().to_string(),
            port: address.port(),
        }
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection {
            remote_addr: self.address.clone(),
            remote_port: self.port,
        }
    }
}

/// What the requests of one connection share.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
    pub(crate) activity: Arc<Activity>,
    /// The parent of its requests' cancellations: so they do not contend for the server's.
    pub(crate) cancel: CancellationToken,
}

/// Serves `stream` until it ends.
pub(crate) async fn run(shared: Arc<Shared>, stream: TcpStream, peer: Peer) {
    // Answers are small and complete: waiting to fill a segment only costs time. A socket that
    // refuses the option is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new(Instant::now()));
    let link = Arc::new(Link {
        peer,
        activity: Arc::clone(&activity),
        cancel: shared.abort.child_token(),
        shared: Arc::clone(&shared),
    });
    let service = service_fn(move |request| {
        let link = Arc::clone(&link);
        async move { Ok::<_, Infallible>(exchange::serve(&link, request).await) }
    });
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
    let mut served = pin!(shared.protocol.serve_connection(io, service));
    let limits = &shared.limits;
    let tick = limits.header_read.min(limits.idle) / 2;
    let mut timer = pin!(tokio::time::sleep(tick));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    // A client that resets, or that does not speak HTTP: nobody's alarm.
                    tracing::trace!(%error, "connection ended");
                }
                return;
            }
            () = shared.stop.cancelled(), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
            () = timer.as_mut() => {
                if activity.is_overdue(Instant::now(), limits) {
                    return;
                }
                timer.as_mut().reset(tokio::time::Instant::now() + tick);
            }
            () = shared.close.cancelled() => return,
        }
    }
}
