//! The JSON around an answer (plugin-lifecycle §0.2 and §0.3). Pure: wrapping and audit need it
//! as much as HTTP does.

use crate::Response;
use serde::Serialize;

/// The success envelope of `response`, with its final line feed.
///
/// `data` is put in as it is: it is a checked JSON object.
#[must_use]
pub fn success(request_id: &str, response: &Response) -> Vec<u8> {
    let data = response.data.as_ref().map_or("null", |d| d.as_str());
    let mut out = Vec::with_capacity(data.len() + 256);
    out.extend_from_slice(b"{\"request_id\":");
    push_json(&mut out, request_id);
    let (renewable, seconds) = response
        .secret
        .as_ref()
        .map_or((false, 0), |s| (s.lease.renewable, s.lease.ttl.as_secs()));
    out.extend_from_slice(b",\"lease_id\":\"\",\"renewable\":");
    push_json(&mut out, &renewable);
    out.extend_from_slice(b",\"lease_duration\":");
    push_json(&mut out, &seconds);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b",\"wrap_info\":null,\"warnings\":");
    if response.warnings.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        push_json(&mut out, &response.warnings);
    }
    out.extend_from_slice(b",\"auth\":null");
    if response.inject_top_level {
        for (name, value) in response.data.iter().flat_map(crate::JsonObject::members) {
            out.push(b',');
            push_json(&mut out, &name);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    out.extend_from_slice(b"}\n");
    out
}

/// What an error body may hold beside its texts.
#[derive(Debug, Default, Clone, Copy)]
pub struct ErrorExtras<'a> {
    /// Our error codes, one per text, or none.
    pub codes: &'a [&'static str],
    /// Warnings beside the errors (plugin-lifecycle §3.3).
    pub warnings: &'a [String],
    /// Data beside the errors (plugin-lifecycle §0.3: a failed reload).
    pub data: Option<&'a crate::JsonObject>,
}

/// `{"errors":[…]}`, with what goes beside it, and its final line feed.
#[must_use]
pub fn errors(texts: &[String], extras: ErrorExtras<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"errors\":");
    push_json(&mut out, texts);
    if let Some(data) = extras.data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_str().as_bytes());
    }
    if !extras.warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        push_json(&mut out, extras.warnings);
    }
    if !extras.codes.is_empty() {
        out.extend_from_slice(b",\"codes\":");
        push_json(&mut out, extras.codes);
    }
    out.extend_from_slice(b"}\n");
    out
}

/// The text that Vault makes of several failures: `2 errors occurred:\n\t* a\n\t* b\n\n`.
#[must_use]
pub fn wrap(texts: &[String]) -> String {
    let head = if texts.len() == 1 {
        "1 error occurred:\n".to_owned()
    } else {
        format!("{} errors occurred:\n", texts.len())
    };
    texts
        .iter()
        .fold(head, |out, text| out + "\t* " + text + "\n")
        + "\n"
}

fn push_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Strings, numbers and lists of them always serialise; a shorter body would be the only sign.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JsonObject;

    #[test]
    fn the_envelope_has_vaults_shape() {
        let body = success(
            "id-1",
            &Response::data(JsonObject::from_text(r#"{"a":1.10}"#).unwrap()),
        );
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "{\"request_id\":\"id-1\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":{\"a\":1.10},\
             \"wrap_info\":null,\"warnings\":null,\"auth\":null}\n"
        );
    }

    #[test]
    fn injected_members_are_repeated_at_top_level() {
        let response = Response {
            inject_top_level: true,
            ..Response::data(JsonObject::from_text(r#"{"sys/":{}}"#).unwrap())
        };
        let body = String::from_utf8(success("x", &response)).unwrap();
        assert!(body.ends_with(",\"auth\":null,\"sys/\":{}}\n"), "{body}");
    }

    #[test]
    fn errors_are_wrapped_as_vault_wraps_them() {
        assert_eq!(wrap(&["a".into()]), "1 error occurred:\n\t* a\n\n");
        assert_eq!(
            wrap(&["a".into(), "b".into()]),
            "2 errors occurred:\n\t* a\n\t* b\n\n"
        );
        assert_eq!(errors(&[], ErrorExtras::default()), b"{\"errors\":[]}\n");
    }
}
