//! One HTTP/2 connection as a gRPC client, without reconnection (plugin-protocol §1.10, §9).
//!
//! tonic's own channel reconnects by itself. That would lose the broker, and could reach the process of another generation, so this
//! is one connection, and it can tell a request that surely was not delivered. A call talks to HTTP/2 from the task that makes it:
//! there is no queue and no other task between the two, only the one that reads and writes the connection.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response, Uri};
use http_body::{Body as _, Frame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;

use crate::gather::gathered;
use crate::names::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::tasks::{Tasks, poll_once};

#[cfg(feature = "host")]
mod unary;

#[cfg(feature = "host")]
pub(crate) use unary::CallError;

/// How many streams that were reset here are remembered, so that late frames of the peer are recognised.
const RESET_STREAMS: usize = 1024;

/// A gRPC client's transport. Cheap to clone; all clones use the one connection. Dropping a call resets its stream.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    sender: SendRequest<Bytes>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    answered: AtomicU64,
    over: AtomicBool,
    tasks: Tasks,
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{}", if *.undelivered { "request was not delivered" } else { "connection broke during a request" })]
pub(crate) struct LinkError {
    /// Whether the peer surely has not seen the request.
    pub(crate) undelivered: bool,
    #[source]
    source: h2::Error,
}

impl Link {
    /// Speaks HTTP/2 over `io`, in a task of `tasks`.
    pub(crate) async fn open<I>(io: I, tasks: &Tasks) -> Result<Self, h2::Error>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (io, outlet) = gathered(io, true);
        // Nothing here ever pings: Go's server answers the fourth with GOAWAY.
        let (sender, mut connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_reset_streams(RESET_STREAMS)
            // The default ends the connection after so many resets in its whole life; ours lives as long as the process, and
            // each request that a client gives up is one.
            .max_local_error_reset_streams(None)
            .handshake(io)
            .await?;
        let state = Arc::new(State {
            answered: AtomicU64::new(0),
            over: AtomicBool::new(false),
            tasks: tasks.clone(),
        });
        let end = End(Arc::clone(&state));
        tasks.spawn(async move {
            let _end = end;
            // How it ended shows in every call; there is nobody else to tell.
            std::future::poll_fn(|cx| {
                if Pin::new(&mut connection).poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                outlet.poll_broken(cx)
            })
            .await;
        });
        Ok(Self { sender, state })
    }

    /// The origin that every client of tonic's on a link is made with.
    pub(crate) fn origin() -> Uri {
        Uri::from_static("http://localhost")
    }

    /// How many calls got an answer, of whatever kind.
    #[cfg(feature = "host")]
    pub(crate) fn answered(&self) -> u64 {
        self.state.answered.load(Ordering::Relaxed)
    }

    /// Whether the connection is over, or takes no further call.
    pub(crate) fn is_closed(&self) -> bool {
        if self.state.over.load(Ordering::Acquire) {
            return true;
        }
        let mut now = Context::from_waker(Waker::noop());
        matches!(
            self.sender.clone().poll_ready(&mut now),
            Poll::Ready(Err(_))
        )
    }

    /// Gives a request to HTTP/2. What fails here was surely not delivered.
    fn begin(
        &self,
        request: Request<()>,
        without_body: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), LinkError> {
        let begun = self.sender.clone().send_request(request, without_body);
        begun.map_err(|source| LinkError {
            undelivered: true,
            source,
        })
    }

    /// Waits for the head of an answer.
    async fn answer(&self, answer: ResponseFuture) -> Result<Response<RecvStream>, LinkError> {
        let answer = answer.await?;
        self.state.answered.fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }
}

/// Marks the end of a connection, however its task ends.
struct End(Arc<State>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// A failure once HTTP/2 has the request. The peer itself may say that it has not looked at the stream: REFUSED_STREAM, or a GOAWAY
/// with a lower last stream id (h2 reports a GOAWAY for exactly these streams; those below it end with the connection, as an I/O error).
impl From<h2::Error> for LinkError {
    fn from(source: h2::Error) -> Self {
        let refused = source.is_reset() && source.reason() == Some(h2::Reason::REFUSED_STREAM);
        Self {
            undelivered: source.is_remote() && (source.is_go_away() || refused),
            source,
        }
    }
}

/// The transport of tonic's clients, which serve the calls that are streams.
impl tower::Service<Request<Body>> for Link {
    type Response = Response<Received>;
    type Error = LinkError;
    type Future = BoxFuture<'static, Result<Self::Response, LinkError>>;

    /// Always ready: that the connection is over is an answer of the call, which knows that nothing was delivered.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let link = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let without_body = body.is_end_stream();
            let (answer, stream) = link.begin(Request::from_parts(head, ()), without_body)?;
            let gone = CancellationToken::new();
            let guard = gone.clone().drop_guard();
            if !without_body {
                let mut sending = Box::pin(send(body, stream));
                // A single message is sent here and now. A stream of them ends with the call.
                if poll_once(sending.as_mut()).await.is_pending() {
                    link.state.tasks.spawn(async move {
                        gone.run_until_cancelled_owned(sending).await;
                    });
                }
            }
            let answer = link.answer(answer).await?;
            Ok(answer.map(|body| Received::new(body, Some(guard))))
        })
    }
}

/// Sends a body of few and small messages, as they come.
async fn send(body: Body, mut stream: SendStream<Bytes>) {
    let mut body = pin!(body);
    loop {
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        let Some(frame) = frame else {
            let _ = stream.send_data(Bytes::new(), true);
            return;
        };
        let sent = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => stream.send_data(data, body.is_end_stream()),
            // A client has no trailers.
            Ok(Err(_)) => continue,
            Err(_) => {
                stream.send_reset(h2::Reason::CANCEL);
                return;
            }
        };
        if sent.is_err() || body.is_end_stream() {
            return;
        }
    }
}

/// A body that arrives.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    data_has_ended: bool,
    /// Ends what is still being sent.
    _sending: Option<DropGuard>,
}

impl Received {
    pub(crate) fn new(stream: RecvStream, sending: Option<DropGuard>) -> Self {
        Self {
            stream,
            data_has_ended: false,
            _sending: sending,
        }
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_has_ended {
            match std::task::ready!(self.stream.poll_data(cx)).transpose()? {
                Some(data) => {
                    self.stream.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                None => self.data_has_ended = true,
            }
        }
        let trailers = std::task::ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
