//! One HTTP/2 connection as a gRPC client, without reconnection (plugin-protocol §1.10, §9).
//!
//! tonic's own channel reconnects by itself. That would lose the broker, and could reach the process of another generation, so this
//! is hyper's connection with nothing around it but one thing: it can tell a request that surely was not delivered.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;

use crate::names::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::tasks::Tasks;

/// How many streams that were reset here are remembered, so that late frames of the peer are recognised.
const RESET_STREAMS: usize = 1024;

/// A gRPC client's transport. Cheap to clone; all clones use the one connection. Dropping a call resets its stream.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    sender: SendRequest<Body>,
    answered: Arc<AtomicU64>,
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{}", if *.undelivered { "request was not delivered" } else { "connection broke during a request" })]
pub(crate) struct LinkError {
    /// Whether the peer surely has not seen the request.
    pub(crate) undelivered: bool,
    #[source]
    source: hyper::Error,
}

impl Link {
    /// Speaks HTTP/2 over `io`, in a task of `tasks`.
    pub(crate) async fn open<I>(io: I, tasks: &Tasks) -> Result<Self, hyper::Error>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Neither keep-alive pings nor the adaptive window, which pings too: Go's server answers the fourth with GOAWAY.
        let (sender, connection) = Builder::new(tasks.clone())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_reset_streams(RESET_STREAMS)
            // The default ends the connection after so many resets in its whole life; ours lives as long as the process, and
            // each request that a client gives up is one.
            .max_local_error_reset_streams(None)
            .handshake(TokioIo::new(io))
            .await?;
        tasks.spawn(async move {
            // How it ended shows in every call; there is nobody else to tell.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            answered: Arc::default(),
        })
    }

    /// The origin that every client on a link is made with: authority `localhost`.
    pub(crate) fn origin() -> Uri {
        Uri::from_static("http://localhost")
    }

    /// How many calls got an answer, of whatever kind.
    #[cfg(feature = "host")]
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether the connection is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl tower::Service<http::Request<Body>> for Link {
    type Response = http::Response<Incoming>;
    type Error = LinkError;
    type Future = BoxFuture<'static, Result<Self::Response, LinkError>>;

    /// Always ready: that the connection is over is an answer of the call, which knows that nothing was delivered.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let sent = self.sender.try_send_request(request);
        let answered = Arc::clone(&self.answered);
        Box::pin(async move {
            match sent.await {
                Ok(response) => {
                    answered.fetch_add(1, Ordering::Relaxed);
                    Ok(response)
                }
                Err(mut failed) => {
                    // The message comes back when it was never given to HTTP/2.
                    let unsent = failed.take_message().is_some();
                    let source = failed.into_error();
                    Err(LinkError {
                        undelivered: unsent || refused_by_peer(&source),
                        source,
                    })
                }
            }
        })
    }
}

/// Whether the peer itself said that it has not looked at the stream: REFUSED_STREAM, or a GOAWAY with a lower last stream id
/// (h2 reports a GOAWAY for exactly these streams; those below it end with the connection, as an I/O error).
fn refused_by_peer(error: &hyper::Error) -> bool {
    let Some(h2) = error.source().and_then(|s| s.downcast_ref::<h2::Error>()) else {
        return false;
    };
    h2.is_remote()
        && (h2.is_go_away() || (h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM)))
}
