//! What goes back: an outcome as status, headers and body (plugin-protocol §3.9, core-api §1.7).

use crate::error;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response as HttpResponse, StatusCode, header};
use http_body_util::Full;
use linchpin_model::{JsonObject, Operation, RawBody, Response, envelope};

/// A complete answer.
pub(crate) type Answer = HttpResponse<Full<Bytes>>;

/// The content type of nearly everything.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// An answer without any header of the API.
pub(crate) fn bare(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Answer {
    let mut answer = HttpResponse::new(Full::new(body));
    *answer.status_mut() = status;
    if let Some(content_type) = content_type {
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    answer
}

/// A JSON answer with the headers of core-api §1.7.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Answer {
    with_headers(status, Some(JSON), body)
}

fn with_headers(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Answer {
    let mut answer = bare(status, content_type, body);
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    answer
}

/// Why an engine's answer cannot be one. What it is stays out of the text: it may be anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsendable {
    /// A raw answer with a status that is none of a complete answer.
    #[error("the engine answered with the status {0}: only 200 to 599 can be sent")]
    Status(u16),
    /// A value with a line break or another control character.
    #[error("the engine answered with a {0} header that has forbidden characters")]
    Header(HeaderName),
}

/// The value of a header. Characters that are not ASCII travel as their bytes, as Go's server sends them.
fn value(name: &HeaderName, text: &[u8]) -> Result<HeaderValue, Unsendable> {
    HeaderValue::from_bytes(text).map_err(|_| Unsendable::Header(name.clone()))
}

/// 307 to `location`, with a small page for people.
pub(crate) fn redirect(location: &str, page: bool) -> Result<Answer, Unsendable> {
    // Of a URL only ASCII is sure to be understood; Go's server escapes the rest in the same form.
    let mut target = Vec::with_capacity(location.len());
    for byte in location.bytes() {
        match byte.is_ascii() {
            true => target.push(byte),
            false => target.extend_from_slice(format!("%{byte:x}").as_bytes()),
        }
    }
    let target = value(&header::LOCATION, &target)?;
    let (content_type, body) = if page {
        let escaped = location
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;");
        (
            Some(HeaderValue::from_static("text/html; charset=utf-8")),
            format!("<a href=\"{escaped}\">Temporary Redirect</a>.\n\n").into(),
        )
    } else {
        (None, Bytes::new())
    };
    let mut answer = with_headers(StatusCode::TEMPORARY_REDIRECT, content_type, body);
    answer.headers_mut().insert(header::LOCATION, target);
    Ok(answer)
}

/// The answer to a request that did not fail.
pub(crate) fn success(request_id: &str, operation: Operation, outcome: Option<Response>) -> Answer {
    let Some(response) = outcome else {
        return absent(operation);
    };
    let sendable = present(request_id, operation, &response).and_then(|mut answer| {
        append(answer.headers_mut(), &response.headers)?;
        Ok(answer)
    });
    sendable.unwrap_or_else(|found| error::answer_unsendable(request_id, &found))
}

fn absent(operation: Operation) -> Answer {
    match operation {
        Operation::Read | Operation::Header | Operation::List | Operation::Scan => nothing_there(),
        _ => json(StatusCode::NO_CONTENT, Bytes::new()),
    }
}

fn nothing_there() -> Answer {
    json(
        StatusCode::NOT_FOUND,
        Bytes::from_static(b"{\"errors\":[]}\n"),
    )
}

fn present(
    request_id: &str,
    operation: Operation,
    response: &Response,
) -> Result<Answer, Unsendable> {
    if let Some(raw) = &response.raw {
        return verbatim(raw);
    }
    if let Some(location) = &response.redirect {
        return redirect(location, false);
    }
    if has_only_headers(response) {
        return Ok(absent(operation));
    }
    match operation {
        Operation::List | Operation::Scan if is_empty_list(response) => return Ok(nothing_there()),
        // Help is not in an envelope (core-api §1.9).
        Operation::Help => {
            let data = response.data.as_ref().map_or("{}", JsonObject::as_str);
            let mut body = Vec::with_capacity(data.len() + 1);
            body.extend_from_slice(data.as_bytes());
            body.push(b'\n');
            return Ok(json(StatusCode::OK, body.into()));
        }
        _ => {}
    }
    let status = if response.accepted {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok(json(status, envelope::success(request_id, response).into()))
}

/// A response of an engine that wanted to set headers, and nothing else, is no response.
fn has_only_headers(response: &Response) -> bool {
    !response.headers.is_empty()
        && response.data.is_none()
        && response.warnings.is_empty()
        && response.secret.is_none()
        && response.auth.is_none()
        && response.wrap.is_none()
}

/// A list that lists nothing. One without `keys` is passed on as it is, as are warnings alone.
fn is_empty_list(response: &Response) -> bool {
    #[derive(serde::Deserialize)]
    struct Listing<'a> {
        #[serde(borrow, default)]
        keys: Option<&'a serde_json::value::RawValue>,
    }
    let Some(data) = &response.data else {
        return response.warnings.is_empty();
    };
    serde_json::from_str::<Listing<'_>>(data.as_str())
        .ok()
        .and_then(|listing| listing.keys)
        .is_some_and(|keys| {
            keys.get()
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|inside| inside.trim().is_empty())
        })
}

/// A body of the engine's own.
fn verbatim(raw: &RawBody) -> Result<Answer, Unsendable> {
    // One below 200 would be no end of the exchange: 101 would hand the connection over.
    let status = match raw.status {
        code @ 200..=599 => StatusCode::from_u16(code).map_err(|_| Unsendable::Status(code))?,
        code => return Err(Unsendable::Status(code)),
    };
    let body = if status == StatusCode::NO_CONTENT {
        Bytes::new()
    } else {
        raw.body.clone()
    };
    let content_type = match raw.content_type.as_str() {
        "" => None,
        text => Some(value(&header::CONTENT_TYPE, text.as_bytes())?),
    };
    let mut answer = with_headers(status, content_type, body);
    for (name, text) in [
        (header::CACHE_CONTROL, &raw.cache_control),
        (header::PRAGMA, &raw.pragma),
        (header::WWW_AUTHENTICATE, &raw.www_authenticate),
    ] {
        if !text.is_empty() {
            let value = value(&name, text.as_bytes())?;
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// Adds what the mount lets through. A name that is none is left out.
fn append(headers: &mut HeaderMap, more: &[(String, Vec<String>)]) -> Result<(), Unsendable> {
    for (name, values) in more {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            continue;
        };
        // Those that frame the message are not an engine's to set.
        if matches!(
            name,
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION
        ) {
            continue;
        }
        for text in values {
            headers.append(name.clone(), value(&name, text.as_bytes())?);
        }
    }
    Ok(())
}
