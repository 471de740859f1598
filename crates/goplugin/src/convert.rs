//! Protobuf messages to and from the vocabulary of `linchpin-model` (plugin-protocol §3.1, §3.3, §3.8 to §3.10).
//!
//! JSON stays the text that it is: it is checked, never decoded and encoded again, so that every number keeps its digits. What a
//! Go peer cannot do without is always set: JSON fields hold an object or `null`, a lease has an issue time.

mod error;
mod lease;
mod request;
mod response;

use linchpin_model::JsonObject;

pub use error::{ErrorClass, PluginError};
#[cfg(feature = "guest")]
pub(crate) use lease::duration_from_wire;
#[cfg(any(feature = "host", feature = "guest"))]
pub(crate) use lease::duration_to_wire;
pub use request::{request_from_wire, request_to_wire};
pub use response::{Answer, answer_from_wire, answer_to_wire};

use crate::proto::pb;

/// Why a message of the peer makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A field that should hold a JSON object holds something else.
    #[error("field {field} does not hold a JSON object: {reason}")]
    Json {
        /// The field.
        field: &'static str,
        /// What is wrong with it; holds none of the data.
        reason: String,
    },
    /// A raw response that cannot be sent.
    #[error("raw response {reason}")]
    Raw {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A message that must be there is missing.
    #[error("field {field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
}

/// A JSON field: the object, or `null`.
fn json_to_wire(object: Option<&JsonObject>) -> String {
    object.map_or_else(|| "null".to_owned(), |object| object.as_str().to_owned())
}

/// What a JSON field holds: nothing for `null`, and for the empty string that no peer should send.
fn json_from_wire(field: &'static str, text: String) -> Result<Option<JsonObject>, ConvertError> {
    if matches!(text.trim(), "" | "null") {
        return Ok(None);
    }
    match JsonObject::from_text(text) {
        Ok(object) => Ok(Some(object)),
        Err(error) => Err(ConvertError::Json {
            field,
            reason: error.to_string(),
        }),
    }
}

fn headers_to_wire(
    headers: &[(String, Vec<String>)],
) -> std::collections::BTreeMap<String, pb::Header> {
    headers
        .iter()
        .map(|(name, values)| {
            let header = pb::Header {
                header: values.clone(),
            };
            (name.clone(), header)
        })
        .collect()
}

fn headers_from_wire(
    headers: std::collections::BTreeMap<String, pb::Header>,
) -> Vec<(String, Vec<String>)> {
    headers
        .into_iter()
        .map(|(name, values)| (name, values.header))
        .collect()
}

/// An absent value is an empty string on the wire.
fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
