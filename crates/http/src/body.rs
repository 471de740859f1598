//! Request bodies (core-api §1.5): read within the limits, then decoded.

mod json;

use crate::Limits;
use crate::budget::{Full, Held};
use crate::error::Refusal;
use crate::request::{Malformed, media_type, parse_form};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use linchpin_model::{ErrorKind, JsonObject};
use tokio::time::{Instant, timeout_at};

/// Reads a whole body of at most `limit` bytes, for which `held` takes room as they arrive. A body in one piece is not
/// copied.
pub(crate) async fn read(
    mut body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    deadline: Instant,
    held: &mut Held,
) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        // Who waits for leave to send need not be drained.
        if !headers.contains_key(header::EXPECT) {
            discard(&mut body, limit, deadline).await;
        }
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::SlowBody),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Refusal::BrokenBody),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > limit {
            discard(&mut body, limit, deadline).await;
            return Err(too_large());
        }
        if let Err(Full) = held.grow(data.len()) {
            held.release();
            drop((first, rest, data));
            discard(&mut body, limit, deadline).await;
            return Err(Refusal::NoRoom);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        rest.extend_from_slice(&std::mem::take(&mut first));
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

fn too_large() -> Refusal {
    Refusal::Errors(
        ErrorKind::TooLarge,
        vec!["http: request body too large".to_owned()],
    )
}

/// Takes in, at most once more the limit, what the client is still sending: closing with unread
/// bytes resets the connection, and the client would see that in place of the answer.
async fn discard(body: &mut Incoming, limit: usize, deadline: Instant) {
    let mut left = limit;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        let Some(still) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
            return;
        };
        left = still;
    }
}

/// Decodes a body; `None` when there is nothing in it.
pub(crate) fn decode(
    body: Bytes,
    headers: &HeaderMap,
    path: &str,
    limits: &Limits,
) -> Result<Option<JsonObject>, Refusal> {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Ok(None);
    };
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Many send JSON under the content type of forms, because that is what their tool does.
    if media_type(content_type).eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && !matches!(first, b'{' | b'[')
    {
        return form(&body).map(Some);
    }
    let longest = if path.starts_with("sys/") || path.starts_with("identity/") {
        limits.json_string
    } else {
        limits.body
    };
    json::decode(body, limits.json_depth, longest)
}

fn form(body: &[u8]) -> Result<JsonObject, Refusal> {
    let unreadable = || Refusal::plain("error parsing form data");
    let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
    let form = parse_form(text).map_err(|Malformed| unreadable())?;
    JsonObject::from_serialize(&form).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(content_type: &'static str, body: &'static str, expected: Result<&str, &str>) {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let found = decode(
            Bytes::from_static(body.as_bytes()),
            &headers,
            "k/x",
            &Limits::default(),
        );
        match (found, expected) {
            (Ok(data), Ok(expected)) => {
                assert_eq!(
                    data.as_ref().map_or("", JsonObject::as_str),
                    expected,
                    "{body}"
                );
            }
            (Err(Refusal::Errors(_, texts)), Err(expected)) => assert_eq!(texts, [expected]),
            (found, _) => panic!("{body}: {found:?}"),
        }
    }

    #[test]
    fn forms_and_json_are_told_apart() {
        const FORM: &str = "application/x-www-form-urlencoded";
        check(FORM, "a=1&b=2", Ok(r#"{"a":"1","b":"2"}"#));
        check(FORM, r#"{"a":1}"#, Ok(r#"{"a":1}"#));
        check(FORM, " {\"a\":1}", Ok(r#"{"a":1}"#));
        check(FORM, "null", Ok(r#"{"null":""}"#));
        check(FORM, "%zz=1", Err("error parsing form data"));
        check(
            "application/x-www-form-urlencoded; charset=utf-8",
            "a=1",
            Ok(r#"{"a":"1"}"#),
        );
        check("text/plain", r#"{"a":1}"#, Ok(r#"{"a":1}"#));
        check("", "", Ok(""));
        check("", " \n ", Ok(""));
        check(FORM, "", Ok(""));
    }
}
