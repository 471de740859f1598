//! A JSON object kept as its text.
//!
//! Request and response data pass through the server without being decoded and encoded again:
//! numbers keep their text (core-api §1.5), and the hot path saves the work. The text has been
//! checked to be one JSON object, so it can be put into an envelope as it is.

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// One JSON object, as UTF-8 text that has been checked. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonObject(Bytes);

/// Why some bytes are not a JSON object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON at all, or cut off.
    #[error("{0}")]
    Syntax(String),
    /// JSON, but not an object.
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// A value that cannot be written as a JSON object.
    #[error("cannot be written as a JSON object")]
    Encode(#[source] serde_json::Error),
}

impl JsonObject {
    /// `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// Checks that `text` is exactly one JSON object and keeps it.
    ///
    /// # Errors
    /// [`JsonError`] when it is not.
    pub fn from_text(text: impl Into<Bytes>) -> Result<Self, JsonError> {
        let text: Bytes = text.into();
        match text.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{') => {}
            Some(b'[') => return Err(JsonError::NotAnObject("array")),
            Some(b'"') => return Err(JsonError::NotAnObject("string")),
            Some(b't' | b'f') => return Err(JsonError::NotAnObject("bool")),
            Some(b'0'..=b'9' | b'-') => return Err(JsonError::NotAnObject("number")),
            Some(b'n') => return Err(JsonError::NotAnObject("null")),
            _ => return Err(JsonError::Syntax("expected a JSON object".to_owned())),
        }
        serde_json::from_slice::<IgnoredAny>(&text)
            .map_err(|e| JsonError::Syntax(e.to_string()))?;
        // IgnoredAny does not look into strings; everything that renders this text relies on UTF-8.
        if std::str::from_utf8(&text).is_err() {
            return Err(JsonError::Syntax("invalid UTF-8".to_owned()));
        }
        Ok(Self(text))
    }

    /// The object that `value` serialises to.
    ///
    /// # Errors
    /// [`JsonError`] when `value` does not serialise to an object.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        let text = serde_json::to_vec(value).map_err(JsonError::Encode)?;
        if text.first() != Some(&b'{') {
            return Err(JsonError::NotAnObject("another value"));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every constructor checks; an empty object is the harmless answer if one ever did not.
        std::str::from_utf8(&self.0).unwrap_or("{}")
    }

    /// The text as bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// Its members, each value as its text; of a repeated key the last one.
    #[must_use]
    pub fn members(&self) -> BTreeMap<String, Box<RawValue>> {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }

    /// Decodes the whole object.
    ///
    /// # Errors
    /// [`JsonError::Syntax`] when it does not have the shape of `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_slice(&self.0).map_err(|e| JsonError::Syntax(e.to_string()))
    }
}

impl Default for JsonObject {
    fn default() -> Self {
        Self::empty()
    }
}

/// Data may hold secrets, so only the length is shown.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonObject({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text() {
        let text = r#"{"a":12345678901234567890123456789,"b":1.10}"#;
        assert_eq!(JsonObject::from_text(text).unwrap().as_str(), text);
    }

    #[test]
    fn only_objects_are_taken() {
        for bad in [
            "[]", "null", "1", "\"x\"", "true", "", "{", "{}x", "{\"a\":}",
        ] {
            assert!(JsonObject::from_text(bad).is_err(), "{bad}");
        }
        assert!(JsonObject::from_text(&b"{\"a\":\"\xff\"}"[..]).is_err());
    }

    #[test]
    fn the_last_of_a_repeated_key_wins() {
        let object = JsonObject::from_text(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(object.members()["a"].get(), "2");
    }

    #[test]
    fn debug_shows_no_data() {
        let object = JsonObject::from_text(r#"{"password":"hunter2"}"#).unwrap();
        assert!(!format!("{object:?}").contains("hunter2"));
    }
}
