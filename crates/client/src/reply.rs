//! What the server answered.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::Error;

/// Status, headers and body of one answer.
#[derive(Clone)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// One header as text; `None` where it is absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as it came.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON; `null` for an empty one, as a 204 has.
    pub fn json(&self) -> Result<Value, Error> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|source| Error::NotJson {
            status: self.status(),
            source,
        })
    }

    /// The body's value at a JSON pointer such as `/data/keys`; `null` where there is none, or no JSON at all.
    pub fn at(&self, pointer: &str) -> Value {
        self.json()
            .ok()
            .and_then(|body| body.pointer(pointer).cloned())
            .unwrap_or(Value::Null)
    }

    /// The member `data`; `null` where there is none.
    pub fn data(&self) -> Value {
        self.at("/data")
    }

    /// The strings of `errors`; empty where there are none.
    pub fn errors(&self) -> Vec<String> {
        strings(self.at("/errors"))
    }

    /// The strings of `warnings`; empty where there are none.
    pub fn warnings(&self) -> Vec<String> {
        strings(self.at("/warnings"))
    }
}

fn strings(value: Value) -> Vec<String> {
    let Value::Array(values) = value else {
        return Vec::new();
    };
    values
        .into_iter()
        .filter_map(|value| {
            if let Value::String(text) = value {
                Some(text)
            } else {
                None
            }
        })
        .collect()
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body may hold secrets; its errors never do.
        f.debug_struct("Reply")
            .field("status", &self.status())
            .field("errors", &self.errors())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(body: &'static str) -> Reply {
        Reply::new(
            StatusCode::OK,
            HeaderMap::new(),
            Bytes::from_static(body.as_bytes()),
        )
    }

    #[test]
    fn members_of_the_envelope_are_found() {
        let found = reply(r#"{"data":{"keys":["a"]},"warnings":["w"],"errors":null}"#);
        assert_eq!(found.at("/data/keys"), json!(["a"]));
        assert_eq!(found.warnings(), ["w"]);
        assert!(found.errors().is_empty());
    }

    #[test]
    fn an_empty_body_is_null_and_a_broken_one_an_error() {
        assert_eq!(reply("").json().unwrap(), Value::Null);
        assert!(matches!(
            reply("<html>").json(),
            Err(Error::NotJson { status: 200, .. })
        ));
    }

    #[test]
    fn debug_shows_no_data() {
        assert!(!format!("{:?}", reply(r#"{"data":{"password":"canary"}}"#)).contains("canary"));
    }
}
