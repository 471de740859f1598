//! What must hold for any body of a write (core-api §1.5).
//!
//! The first byte of the input picks the content type and the path, the rest is the body. Shared by the fuzz target and the test
//! that replays its corpus.

use bytes::Bytes;
use linchpin_http::fuzzing;
use linchpin_model::JsonObject;
use serde_json::Value;

/// Checks one input; whether the body is taken.
pub(crate) fn check(data: &[u8]) -> bool {
    let Some((&kind, body)) = data.split_first() else {
        return false;
    };
    let content_type = match kind & 1 {
        0 => "application/json",
        _ => "application/x-www-form-urlencoded",
    };
    let path = if kind & 2 == 0 { "sys/mounts/x" } else { "k/x" };
    match fuzzing::body(Bytes::copy_from_slice(body), content_type, path) {
        Ok(None) => false,
        Ok(Some(object)) => {
            taken(&object, body);
            true
        }
        Err(refusal) => {
            assert_eq!(refusal.status().as_u16(), 400);
            false
        }
    }
}

fn taken(object: &JsonObject, body: &[u8]) {
    let text = object.as_str();
    // A control character of a form becomes `\u0001`, and `x` alone becomes `{"x":""}`.
    let bound = 6 * body.len() + 16;
    assert!(text.len() <= bound, "{} of {}", text.len(), body.len());
    assert!(text.starts_with('{') && text.ends_with('}'));
    // What an engine is given is final, and each reader of it agrees that it is an object.
    let again = fuzzing::body(object.bytes(), "application/json", "k/x").expect("taken once");
    assert_eq!(again.as_ref(), Some(object));
    let members = object.members();
    assert_eq!(members.is_empty(), object.is_empty());
    let inside = text.trim_start_matches('{').trim();
    assert_eq!(members.is_empty(), inside == "}", "{text}");
    match object.decode::<Value>() {
        Ok(value) => assert_eq!(value.as_object().map(|o| o.len()), Some(members.len())),
        // Deeper than a reader goes, or a number of an exponent that no float has.
        Err(error) => {
            let why = error.to_string();
            let known = why.contains("recursion limit") || why.contains("out of range");
            assert!(known, "{text}: {why}");
        }
    }
}
