//! A call with one message each way: what a host asks of a plugin, but for the two streams.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use prost::Message;
use tonic::{Code, Status};

use super::{Link, LinkError, Received};
use crate::grpc::{self, Came, Fault};

/// Where every request goes: the connection has one end only.
const AUTHORITY: &str = "localhost";

/// How a call failed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Below gRPC.
    Link(LinkError),
    /// With a status: the peer's own, or one for an answer that makes no sense.
    Status(Status),
}

impl Link {
    /// One call with one message each way. `headers` go with it; the answer has at most `limit` bytes.
    ///
    /// # Cancel safety
    /// When dropped, the stream is reset, which the peer sees as cancellation.
    pub(crate) async fn unary<M, A>(
        &self,
        path: &'static str,
        mut headers: HeaderMap,
        message: &M,
        limit: usize,
    ) -> Result<A, CallError>
    where
        M: Message,
        A: Message + Default,
    {
        let message = grpc::framed(message).map_err(CallError::Status)?;
        headers.insert(header::CONTENT_TYPE, grpc::GRPC);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri(path).map_err(CallError::Status)?;
        *request.headers_mut() = headers;

        let (answer, mut body) = self.begin(request, false).map_err(CallError::Link)?;
        // The message is in memory already: to wait for room in the window would save nothing. What goes wrong here
        // is told by the answer.
        let _ = body.send_data(message, true);
        let (head, body) = self.answer(answer).await?.into_parts();
        if let Some(status) = grpc::status(&head.headers).filter(|s| s.code() != Code::Ok) {
            return Err(CallError::Status(status));
        }
        if head.status != StatusCode::OK {
            let text = format!("the peer answered with HTTP status {}", head.status);
            return Err(CallError::Status(Status::unknown(text)));
        }
        let mut body = Received::new(body, None);
        let (message, trailers) = match grpc::read(&mut body, limit).await? {
            Came::Message(message) => (Some(message), grpc::trailers(&mut body).await?),
            Came::End(trailers) => (None, trailers),
        };
        match (trailers.as_ref().and_then(grpc::status), message) {
            (Some(status), _) if status.code() != Code::Ok => Err(CallError::Status(status)),
            (Some(_), Some(message)) => Ok(message),
            (Some(_), None) => Err(unfinished("the call ended well without an answer")),
            (None, _) => Err(unfinished("the answer has no status")),
        }
    }
}

fn unfinished(text: &str) -> CallError {
    CallError::Status(Status::internal(text))
}

/// The address of a method.
fn uri(path: &'static str) -> Result<Uri, Status> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::from_static(AUTHORITY));
    parts.path_and_query = Some(PathAndQuery::from_static(path));
    Uri::from_parts(parts).map_err(|error| Status::internal(error.to_string()))
}

impl From<LinkError> for CallError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<Fault<h2::Error>> for CallError {
    fn from(fault: Fault<h2::Error>) -> Self {
        match fault {
            Fault::Stream(error) => Self::Link(error.into()),
            Fault::Refused(status) => Self::Status(status),
        }
    }
}
