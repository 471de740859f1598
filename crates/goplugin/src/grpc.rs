//! gRPC on one HTTP/2 stream: a message with its prefix, and how a call ended (plugin-protocol §1.10).
//!
//! Every call between host and plugin but two has one message each way. tonic would serve them too, through streams, boxes and buffers
//! that are made for many messages; here a message is encoded once, into a buffer of its size, and decoded from the bytes that arrived.

use std::pin::Pin;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Body;
use prost::Message;
use tonic::{Code, Status};

/// The content type of every head.
pub(crate) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// How a call ended: a number, in the trailers or in the head of an answer without a body.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// What the number means here, percent-encoded.
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What is before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// The largest message that memory is taken for before it has arrived, in bytes.
const TRUSTED: usize = 1 << 20;

/// What a body held first.
#[derive(Debug)]
pub(crate) enum Came<M> {
    /// A message.
    Message(M),
    /// Its end, with the trailers if there were any.
    End(Option<HeaderMap>),
}

/// Why a body held no message.
#[derive(Debug)]
pub(crate) enum Fault<E> {
    /// Its stream or connection broke.
    Stream(E),
    /// What arrived is refused.
    Refused(Status),
}

impl<E> Fault<E> {
    fn internal(text: impl Into<String>) -> Self {
        Self::Refused(Status::internal(text))
    }
}

/// A message as it is sent.
pub(crate) fn framed(message: &impl Message) -> Result<Bytes, Status> {
    let length = message.encoded_len();
    let Ok(announced) = u32::try_from(length) else {
        return Err(Status::resource_exhausted("the message is too large"));
    };
    let mut framed = BytesMut::with_capacity(PREFIX + length);
    framed.put_u8(0);
    framed.put_u32(announced);
    message.encode_raw(&mut framed);
    Ok(framed.freeze())
}

/// Answers a call of one message with `message`, framed, or with a status.
pub(crate) fn answer(mut respond: SendResponse<Bytes>, message: Result<Bytes, Status>) {
    // Sending fails when the peer is gone, and then there is nobody to tell.
    let message = match message {
        Ok(message) => message,
        Err(status) => {
            let _ = respond.send_response(status.into_http(), true);
            return;
        }
    };
    let mut head = Response::new(());
    head.headers_mut().insert(CONTENT_TYPE, GRPC);
    if let Ok(mut stream) = respond.send_response(head, false)
        && stream.send_data(message, false).is_ok()
    {
        let _ = stream.send_trailers(well());
    }
}

/// Reads one message of at most `limit` bytes.
pub(crate) async fn read<M, B>(body: &mut B, limit: usize) -> Result<Came<M>, Fault<B::Error>>
where
    M: Message + Default,
    B: Body<Data = Bytes> + Unpin,
{
    let piece = match next(body).await? {
        Came::Message(piece) => piece,
        Came::End(trailers) => return Ok(Came::End(trailers)),
    };
    // Nearly every message comes in one piece, and is decoded where it lies.
    let message = match whole(&piece, limit).map_err(Fault::Refused)? {
        Some(end) if end == piece.len() => piece.slice(PREFIX..),
        _ => gather(piece, body, limit).await?,
    };
    let message = M::decode(message).map_err(|error| Fault::internal(error.to_string()))?;
    Ok(Came::Message(message))
}

/// Reads what a body has left after its message: nothing, and the trailers.
pub(crate) async fn trailers<B>(body: &mut B) -> Result<Option<HeaderMap>, Fault<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    match next(body).await? {
        Came::Message(_) => Err(Fault::internal("more than one message arrived")),
        Came::End(trailers) => Ok(trailers),
    }
}

/// How a call ended, when these headers say it.
pub(crate) fn status(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get(STATUS)?;
    let text = headers.get(MESSAGE).map(|text| decoded(text.as_bytes()));
    Some(Status::new(
        Code::from_bytes(code.as_bytes()),
        text.unwrap_or_default(),
    ))
}

/// The trailers of a call that went well.
fn well() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    trailers
}

/// Takes pieces until the message that began in `first` is whole.
async fn gather<B>(first: Bytes, body: &mut B, limit: usize) -> Result<Bytes, Fault<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut gathered = BytesMut::with_capacity(limit.min(TRUSTED).max(first.len()));
    gathered.extend_from_slice(&first);
    loop {
        match whole(&gathered, limit).map_err(Fault::Refused)? {
            Some(end) if end == gathered.len() => {
                gathered.advance(PREFIX);
                return Ok(gathered.freeze());
            }
            Some(end) if end < gathered.len() => {
                return Err(Fault::internal("more than one message arrived"));
            }
            _ => {}
        }
        match next(body).await? {
            Came::Message(piece) => gathered.extend_from_slice(&piece),
            Came::End(_) => return Err(Fault::internal("the message is cut off")),
        }
    }
}

/// Where the message in `bytes` ends, once its prefix is there.
fn whole(bytes: &[u8], limit: usize) -> Result<Option<usize>, Status> {
    let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Status::unimplemented(
            "compressed messages are not supported",
        ));
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(Status::out_of_range(format!(
            "message length too large: found {length} bytes, the limit is: {limit} bytes"
        )));
    }
    Ok(Some(PREFIX + length))
}

/// The next piece that is not empty, or the end.
async fn next<B>(body: &mut B) -> Result<Came<Bytes>, Fault<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let Some(frame) = frame.transpose().map_err(Fault::Stream)? else {
            return Ok(Came::End(None));
        };
        match frame.into_data() {
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => return Ok(Came::Message(piece)),
            Err(frame) => return Ok(Came::End(frame.into_trailers().ok())),
        }
    }
}

/// Percent-encoded text as it was; what is not text is replaced.
fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) if byte == b'%' => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pb;

    #[test]
    fn a_message_has_its_length_before_it() {
        let message = pb::StorageGetArgs {
            key: "k".to_owned(),
            txn: String::new(),
        };
        let framed = framed(&message).unwrap();
        assert_eq!(&framed[..5], [0, 0, 0, 0, 3]);
        assert_eq!(whole(&framed, 3).unwrap_or(None), Some(8));
        assert!(whole(&framed, 2).is_err());
        assert!(matches!(whole(&framed[..4], 2), Ok(None)));
    }

    #[test]
    fn a_status_is_read_with_its_text() {
        let mut headers = HeaderMap::new();
        assert!(status(&headers).is_none());
        headers.insert(STATUS, HeaderValue::from_static("2"));
        headers.insert(MESSAGE, HeaderValue::from_static("50%25 of %C3%A9, 5%"));
        // A hostile peer: no base64.
        headers.insert("grpc-status-details-bin", HeaderValue::from_static("!!"));
        let status = status(&headers).unwrap();
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!(status.message(), "50% of é, 5%");
    }

    #[test]
    fn text_that_is_no_utf_8_is_replaced() {
        assert_eq!(decoded(b"a%ffb%zz"), "a\u{fffd}b%zz");
    }
}
