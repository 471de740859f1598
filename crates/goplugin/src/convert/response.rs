//! Responses, raw ones included, and the reply that carries a response, an error, or both.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use linchpin_engine::Error;
use linchpin_model::{JsonObject, RawBody, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::lease::{
    auth_from_wire, auth_to_wire, secret_from_wire, secret_to_wire, wrap_response_from_wire,
    wrap_response_to_wire,
};
use super::{
    ConvertError, PluginError, headers_from_wire, headers_to_wire, json_from_wire, json_to_wire,
    non_empty,
};
use crate::proto::pb;

/// What a plugin said to a request: an answer (`None` = nothing is there), or its own error.
pub type Answer = Result<Option<Response>, PluginError>;

/// What a reply says (plugin-protocol §3.8, §3.9). An error response is an error.
///
/// # Errors
/// [`ConvertError`] when the reply makes no sense.
pub fn answer_from_wire(
    response: Option<pb::Response>,
    error: Option<pb::ProtoError>,
) -> Result<Answer, ConvertError> {
    let response = response.map(Incoming::read).transpose()?;
    Ok(match (response, error) {
        (Some(incoming), Some(error)) => {
            let mut error = PluginError::from_wire(error);
            error.shown = incoming.error_text(true);
            error.response = Some(Box::new(incoming.response));
            Err(error)
        }
        (None, Some(error)) => Err(PluginError::from_wire(error)),
        (Some(incoming), None) => match incoming.error_text(false) {
            Some(text) => Err(PluginError::error_response(text, incoming.response)),
            None => Ok(Some(incoming.finish()?)),
        },
        (None, None) => Ok(None),
    })
}

/// The reply for what an engine answered.
#[must_use]
pub fn answer_to_wire(
    answer: Result<Option<Response>, Error>,
) -> (Option<pb::Response>, Option<pb::ProtoError>) {
    match answer {
        Ok(response) => (response.as_ref().map(response_to_wire), None),
        Err(error) => (
            error.response().map(response_to_wire),
            Some(PluginError::from_engine(&error).to_wire()),
        ),
    }
}

/// A response whose data has not been looked into yet.
struct Incoming {
    response: Response,
    /// The members of its data, when its text names one of the keys that mean something.
    members: BTreeMap<String, Box<RawValue>>,
}

impl Incoming {
    fn read(response: pb::Response) -> Result<Self, ConvertError> {
        let data = json_from_wire("response.data", response.data)?;
        // Most data names neither key, and then it is not decoded at all.
        let members = data
            .as_ref()
            .filter(|data| {
                let text = data.as_str();
                text.contains("\"error\"") || text.contains("\"http_status_code\"")
            })
            .map(JsonObject::members)
            .unwrap_or_default();
        let response = Response {
            data,
            warnings: response.warnings,
            secret: response.secret.map(secret_from_wire).transpose()?,
            auth: response.auth.map(auth_from_wire).transpose()?,
            headers: headers_from_wire(response.headers),
            redirect: non_empty(response.redirect),
            wrap: response.wrap_info.map(wrap_response_from_wire),
            ..Response::default()
        };
        Ok(Self { response, members })
    }

    /// The text of an error response: data with the single key `error`, and beside an error of its own also `error` and `data`.
    fn error_text(&self, beside_an_error: bool) -> Option<String> {
        let text = serde_json::from_str(self.members.get("error")?.get()).ok()?;
        let more = self.members.len() - 1;
        let known =
            more == 0 || (beside_an_error && more == 1 && self.members.contains_key("data"));
        known.then_some(text)
    }

    /// The response, as a raw one if it is one.
    fn finish(mut self) -> Result<Response, ConvertError> {
        let Some(status) = self.members.get("http_status_code") else {
            return Ok(self.response);
        };
        if self.response.secret.is_some() || self.response.auth.is_some() {
            return Err(ConvertError::Raw {
                reason: "comes with a secret or a login",
            });
        }
        let status = status_code(status).ok_or(ConvertError::Raw {
            reason: "has a status that is no HTTP status",
        })?;
        let raw = RawBody {
            status,
            content_type: self.text("http_content_type").unwrap_or_default(),
            body: if status == 204 {
                Bytes::new()
            } else {
                self.body()?
            },
            cache_control: self.text("http_raw_cache_control").unwrap_or_default(),
            pragma: self.text("http_raw_pragma").unwrap_or_default(),
            www_authenticate: self.text("http_www_authenticate").unwrap_or_default(),
        };
        if raw.content_type.is_empty() && status != 204 {
            return Err(ConvertError::Raw {
                reason: "has no content type",
            });
        }
        self.response.data = None;
        self.response.raw = Some(raw);
        Ok(self.response)
    }

    fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.members.get(key)?.get()).ok()
    }

    /// Bytes of a Go plugin arrive as base64, text as it is; which of the two it was cannot be known.
    fn body(&self) -> Result<Bytes, ConvertError> {
        let Some(body) = self.members.get("http_raw_body") else {
            return Ok(Bytes::new());
        };
        let body: String = serde_json::from_str(body.get()).map_err(|_| ConvertError::Raw {
            reason: "has a body that is no string",
        })?;
        Ok(match STANDARD.decode(&body) {
            Ok(decoded) => decoded.into(),
            Err(_) => body.into(),
        })
    }
}

/// A number between 100 and 999; Go peers may write it as a float.
fn status_code(value: &RawValue) -> Option<u16> {
    let number: f64 = serde_json::from_str(value.get()).ok()?;
    let whole = number.fract() == 0.0 && (100.0..1000.0).contains(&number);
    // In range and whole, so nothing is lost.
    whole.then_some(number as u16)
}

/// The keys of a raw response, in the order in which they are sent.
#[derive(Serialize)]
struct RawData<'a> {
    http_status_code: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    http_content_type: &'a str,
    /// Always base64: plain text that happens to be valid base64 would be decoded by the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_raw_body: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    http_raw_cache_control: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    http_raw_pragma: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    http_www_authenticate: &'a str,
}

fn response_to_wire(response: &Response) -> pb::Response {
    let data = match &response.raw {
        None => response.data.as_ref().map(Cow::Borrowed),
        Some(raw) => JsonObject::from_serialize(&RawData {
            http_status_code: raw.status,
            http_content_type: &raw.content_type,
            http_raw_body: (raw.status != 204).then(|| STANDARD.encode(&raw.body)),
            http_raw_cache_control: &raw.cache_control,
            http_raw_pragma: &raw.pragma,
            http_www_authenticate: &raw.www_authenticate,
        })
        .ok()
        .map(Cow::Owned),
    };
    pb::Response {
        secret: response.secret.as_ref().map(secret_to_wire),
        auth: response.auth.as_ref().map(auth_to_wire),
        data: json_to_wire(data.as_deref()),
        redirect: response.redirect.clone().unwrap_or_default(),
        warnings: response.warnings.clone(),
        wrap_info: response.wrap.as_ref().map(wrap_response_to_wire),
        headers: headers_to_wire(&response.headers),
        mount_type: String::new(),
    }
}
