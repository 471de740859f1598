//! JSON bodies: the first value of the body, an object, kept as its text.
//!
//! The text is checked and passed on, never decoded and encoded again: numbers keep their digits.
//! Only what no reader could take is repaired, as Go does: a lone surrogate and a byte that is not
//! UTF-8 become U+FFFD.

use crate::error::Refusal;
use bytes::Bytes;
use linchpin_model::{JsonError, JsonObject};
use serde::de::IgnoredAny;
use std::borrow::Cow;

const PREFIX: &str = "failed to decode JSON input: ";

/// Decodes `body`; `null` is nothing.
pub(super) fn decode(
    body: Bytes,
    max_depth: usize,
    max_string: usize,
) -> Result<Option<JsonObject>, Refusal> {
    let body = match String::from_utf8_lossy(&body) {
        Cow::Borrowed(_) => body,
        Cow::Owned(repaired) => Bytes::from(repaired),
    };
    let start = body
        .iter()
        .position(|byte| !is_blank(*byte))
        .unwrap_or(body.len());
    let body = body.slice(start..);
    if body.first() != Some(&b'{') {
        return other_value(&body);
    }
    let Some(extent) = measure(&body, max_depth, max_string)? else {
        // No end: the reader says what is missing, or what stands in its place.
        return JsonObject::from_text(body)
            .map(Some)
            .map_err(|error| syntax(&error.to_string()));
    };
    check_rest(body.get(extent.end..).unwrap_or_default())?;
    let text = if extent.lone_surrogates.is_empty() {
        body.slice(..extent.end)
    } else {
        repair(body.get(..extent.end).unwrap_or_default(), &extent)
    };
    JsonObject::from_text(text)
        .map(Some)
        .map_err(|error| syntax(&error.to_string()))
}

fn syntax(why: &str) -> Refusal {
    Refusal::plain(format!("{PREFIX}{why}"))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A body whose first value is no object: `null` is fine, the rest is named with Go's words.
fn other_value(body: &[u8]) -> Result<Option<JsonObject>, Refusal> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {}
        Some(Err(error)) => return Err(syntax(&error.to_string())),
        None => return Ok(None),
    }
    let end = values.byte_offset();
    check_rest(body.get(end..).unwrap_or_default())?;
    let found =
        match JsonObject::from_text(Bytes::copy_from_slice(body.get(..end).unwrap_or_default())) {
            Err(JsonError::NotAnObject("null")) => return Ok(None),
            Err(JsonError::NotAnObject(found)) => found,
            Ok(_) | Err(_) => "value",
        };
    Err(syntax(&format!(
        "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
    )))
}

/// What follows the first value is not used, but must be JSON as far as it goes: measured.
fn check_rest(rest: &[u8]) -> Result<(), Refusal> {
    if rest.iter().copied().all(is_blank) {
        return Ok(());
    }
    for value in serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>() {
        match value {
            Ok(_) => {}
            Err(error) if error.is_eof() => return Ok(()),
            Err(error) => return Err(syntax(&format!("after the first value: {error}"))),
        }
    }
    Ok(())
}

/// Where the first value ends, and what must be repaired in it.
struct Extent {
    end: usize,
    /// Where each `\uXXXX` begins that is half of a pair without the other half.
    lone_surrogates: Vec<usize>,
}

/// Finds the end of the object that `body` begins with, within the limits; `None` = there is none. Syntax is not checked
/// here: what is wrong inside is found when the text is taken.
fn measure(body: &[u8], max_depth: usize, max_string: usize) -> Result<Option<Extent>, Refusal> {
    let mut lone_surrogates = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Err(syntax(&format!(
                        "JSON input exceeds allowed nesting depth of {max_depth}"
                    )));
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(Extent {
                        end: at,
                        lone_surrogates,
                    }));
                }
            }
            b'"' => {
                let length = string(body.get(at..).unwrap_or_default(), at, &mut lone_surrogates);
                if length > max_string {
                    return Err(syntax(&format!(
                        "JSON input exceeds allowed string length of {max_string}"
                    )));
                }
                at += length + 1;
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The length of the string whose inside `rest` begins with; `offset` is where that is.
fn string(rest: &[u8], offset: usize, lone_surrogates: &mut Vec<usize>) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => match escaped_unit(rest, at) {
                Some(0xD800..=0xDBFF) => {
                    if matches!(escaped_unit(rest, at + 6), Some(0xDC00..=0xDFFF)) {
                        at += 12;
                    } else {
                        lone_surrogates.push(offset + at);
                        at += 6;
                    }
                }
                Some(0xDC00..=0xDFFF) => {
                    lone_surrogates.push(offset + at);
                    at += 6;
                }
                _ => at += 2,
            },
            _ => at += 1,
        }
    }
    rest.len()
}

/// The code unit of a `\uXXXX` that stands at `at`.
fn escaped_unit(rest: &[u8], at: usize) -> Option<u16> {
    let escape = rest.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn repair(text: &[u8], extent: &Extent) -> Bytes {
    let mut out = text.to_vec();
    for at in &extent.lone_surrogates {
        if let Some(escape) = out.get_mut(*at..*at + 6) {
            escape.copy_from_slice(b"\\ufffd");
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(body: &[u8]) -> Result<String, String> {
        match decode(Bytes::copy_from_slice(body), 300, 1 << 20) {
            Ok(data) => Ok(data.map_or_else(String::new, |d| d.as_str().to_owned())),
            Err(Refusal::Errors(_, texts)) => Err(texts.join("|")),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_value_is_taken_as_its_text() {
        for (body, expected) in [
            (r#"{"a":1}{"b":2}"#, r#"{"a":1}"#),
            (r#"{"a":1} [1] null"#, r#"{"a":1}"#),
            (r#"{"a":1}{"#, r#"{"a":1}"#),
            (" {\"a\":1}\n", r#"{"a":1}"#),
            (
                r#"{"n":12345678901234567890123456789,"f":1.10,"e":1e3,"z":-0}"#,
                r#"{"n":12345678901234567890123456789,"f":1.10,"e":1e3,"z":-0}"#,
            ),
            (r#"{"a":"}{\"]"}"#, r#"{"a":"}{\"]"}"#),
            ("null", ""),
        ] {
            assert_eq!(take(body.as_bytes()).as_deref(), Ok(expected), "{body}");
        }
    }

    #[test]
    fn what_is_no_character_becomes_the_replacement() {
        assert_eq!(take(br#"{"s":"\ud800"}"#).unwrap(), r#"{"s":"\ufffd"}"#);
        assert_eq!(take(br#"{"\udc00":1}"#).unwrap(), r#"{"\ufffd":1}"#);
        assert_eq!(
            take(br#"{"s":"\ud83d\ude00 \\ud800 \ud83d\n"}"#).unwrap(),
            r#"{"s":"\ud83d\ude00 \\ud800 \ufffd\n"}"#
        );
        assert_eq!(take(b"{\"s\":\"\xff\"}").unwrap(), "{\"s\":\"\u{fffd}\"}");
    }

    #[test]
    fn refusals_begin_with_the_words_that_clients_match() {
        for body in [
            "{bad",
            "[]",
            "5",
            "true",
            "\"x\"",
            "nul",
            "{\"a\":1",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{\"a\":1} trailing",
            "{\"a\":1}]",
            "\u{feff}{\"a\":1}",
            "{\"a\":\"\t\"}",
            "{]",
            "{\"a\"",
        ] {
            let error = take(body.as_bytes()).unwrap_err();
            assert!(error.starts_with(PREFIX), "{body}: {error}");
        }
        assert_eq!(
            take(b"[]").unwrap_err(),
            "failed to decode JSON input: json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
    }

    #[test]
    fn depth_and_strings_have_limits() {
        let nested = |depth: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(take(nested(300).as_bytes()).is_ok());
        assert!(
            take(nested(301).as_bytes())
                .unwrap_err()
                .contains("nesting depth of 300")
        );
        let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert!(take(long(1 << 20).as_bytes()).is_ok());
        assert!(
            take(long((1 << 20) + 1).as_bytes())
                .unwrap_err()
                .contains("string length")
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = take(&body);
        }

        #[test]
        fn what_is_taken_can_be_read(body in "\\{\"[a\\\\u d8c0f\"]{0,12}\":[\\[\\]{}0-9\", ]{0,10}\\}") {
            if let Ok(text) = take(body.as_bytes()) && !text.is_empty() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
