//! tonic's services behind a socket: what a plugin serves.

use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::Body as _;
use tonic::body::Body;

use super::{Serve, unless_reset};
use crate::link::Received;

/// Services of tonic's, which every call to runs in a task of its own.
#[derive(Clone)]
pub(crate) struct Tonic<S>(pub(crate) S);

impl<S> Serve for Tonic<S>
where
    S: tower::Service<Request<Received>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    const AT_ONCE: bool = false;

    fn serve(
        &self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> BoxFuture<'static, ()> {
        let answer = self
            .0
            .clone()
            .call(request.map(|body| Received::new(body, None)));
        Box::pin(async move {
            let Some(Ok(answer)) = unless_reset(&mut respond, answer).await else {
                // Without a service that fails, that is the reset of the peer.
                respond.send_reset(Reason::INTERNAL_ERROR);
                return;
            };
            let (head, body) = answer.into_parts();
            let head = Response::from_parts(head, ());
            let without_body = body.is_end_stream();
            let Ok(stream) = respond.send_response(head, without_body) else {
                return;
            };
            if !without_body {
                send(body, stream).await;
            }
        })
    }
}

/// Sends a body, as fast as the peer takes it.
async fn send(body: Body, mut stream: SendStream<Bytes>) {
    let mut body = pin!(body);
    loop {
        let frame = std::future::poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Pending => stream.poll_reset(cx).map(|_| None),
            frame => frame,
        });
        let sent = match frame.await {
            None => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return;
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => send_all(data, &mut stream).await,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let _ = stream.send_trailers(trailers);
                    return;
                }
            },
        };
        if sent.is_none() {
            return;
        }
    }
}

/// Sends a piece; `None` when the peer is gone.
async fn send_all(mut data: Bytes, stream: &mut SendStream<Bytes>) -> Option<()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let mut room = stream.capacity();
        if room == 0 {
            let more = std::future::poll_fn(|cx| stream.poll_capacity(cx));
            room = more.await?.ok()?;
        }
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, false).ok()?;
    }
    Some(())
}
