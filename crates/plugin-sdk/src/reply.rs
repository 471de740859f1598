//! What a handler answers, in the shapes that clients expect.
//!
//! A handler may also answer `Ok(None)`: *nothing is there* for a read (404), *nothing is to be said* for a write (204).

use bytes::Bytes;
use linchpin_engine::Error;
use linchpin_engine::path::Answer;
use linchpin_model::{JsonObject, RawBody, Response, Secret};
use serde::Serialize;

/// Data: whatever serialises to a JSON object. Numbers above 2⁵³ do not survive a Go server: carry them as strings.
///
/// # Errors
/// When `data` is no object.
pub fn data<T: Serialize + ?Sized>(data: &T) -> Answer {
    Ok(Some(Response::data(object(data)?)))
}

/// Nothing: 204 for a write, 404 for a read.
///
/// # Errors
/// Never.
pub fn nothing() -> Answer {
    Ok(None)
}

/// The names of a list. An empty list is a 404, as clients expect.
///
/// # Errors
/// Never.
pub fn keys(keys: Vec<String>) -> Answer {
    #[derive(Serialize)]
    struct Keys {
        keys: Vec<String>,
    }
    data(&Keys { keys })
}

/// Data with a lease: the server gives the caller a lease id and later renews or revokes `secret`.
///
/// # Errors
/// When `data` is no object.
pub fn leased<T: Serialize + ?Sized>(secret: Secret, data: &T) -> Answer {
    Ok(Some(Response {
        secret: Some(secret),
        ..Response::data(object(data)?)
    }))
}

/// A body that the caller gets as it is, without the usual envelope. Status 204 has neither body nor content type.
///
/// # Errors
/// Never.
pub fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    Ok(Some(Response {
        raw: Some(RawBody {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
            cache_control: String::new(),
            pragma: String::new(),
            www_authenticate: String::new(),
        }),
        ..Response::default()
    }))
}

/// What can be added to an answer.
pub trait AnswerExt: Sized {
    /// A note for the caller, beside the data. An answer that was nothing becomes one with a note.
    #[must_use]
    fn with_warning(self, text: impl Into<String>) -> Self;

    /// A header of the HTTP answer. It reaches the caller only if the mount lists it in `allowed_response_headers`.
    #[must_use]
    fn with_header(self, name: &str, value: &str) -> Self;
}

impl AnswerExt for Answer {
    fn with_warning(self, text: impl Into<String>) -> Self {
        self.map(|response| Some(response.unwrap_or_default().with_warning(text)))
    }

    fn with_header(self, name: &str, value: &str) -> Self {
        self.map(|response| {
            let mut response = response.unwrap_or_default();
            response
                .headers
                .push((name.to_owned(), vec![value.to_owned()]));
            Some(response)
        })
    }
}

fn object<T: Serialize + ?Sized>(data: &T) -> Result<JsonObject, Error> {
    JsonObject::from_serialize(data)
        .map_err(|error| Error::internal("the answer is no JSON object").with_source(error))
}
