//! The parts of this crate that turn bytes of strangers into something, one call each: for the fuzz targets in `fuzz/` and the tests
//! that replay their corpora. No part of the API.

use crate::{Limits, body, error, request, response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use linchpin_core::Error;
use linchpin_model::{JsonObject, Operation, Response};

/// A whole answer.
pub type Answer = http::Response<http_body_util::Full<Bytes>>;

/// Reads a head: the operation, the canonical path, and the data of the query.
///
/// # Errors
/// The answer to a request that is refused.
pub fn head(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(Operation, String, Option<JsonObject>), Answer> {
    match request::head(method, uri, headers) {
        Ok(head) => Ok((head.operation, head.path, head.data)),
        Err(refusal) => Err(refusal.answer()),
    }
}

/// Decodes a body of a write to `path` under the default limits.
///
/// # Errors
/// The answer to a request that is refused.
pub fn body(
    body: Bytes,
    content_type: &'static str,
    path: &str,
) -> Result<Option<JsonObject>, Answer> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    body::decode(body, &headers, path, &Limits::default()).map_err(error::Refusal::answer)
}

/// Renders an outcome.
#[must_use]
pub fn answer(
    request_id: &str,
    operation: Operation,
    outcome: Result<Option<Response>, Error>,
) -> Answer {
    match outcome {
        Ok(response) => response::success(request_id, operation, response),
        Err(error) => error::answer(request_id, &error),
    }
}
