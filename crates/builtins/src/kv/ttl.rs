//! The lease duration that a secret asks for.

use linchpin_model::{JsonObject, duration};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// The duration of the member `ttl`, or else of `lease`; `None` = the mount's default, also when
/// the member is no duration.
pub(super) fn of(data: &JsonObject) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Hints<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        ttl: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "present")]
        lease: Option<&'a RawValue>,
    }
    /// Also `null` is a value here: it counts as zero.
    fn present<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Some)
    }
    let hints: Hints<'_> = serde_json::from_str(data.as_str()).ok()?;
    let text = hints.ttl.or(hints.lease)?.get();
    match text.as_bytes().first()? {
        b'n' => Some(Duration::ZERO),
        b'"' => {
            let text: String = serde_json::from_str(text).ok()?;
            if text.trim().is_empty() {
                return Some(Duration::ZERO);
            }
            parse(&text)
        }
        b'0'..=b'9' | b'-' => parse(text),
        _ => None,
    }
}

fn parse(text: &str) -> Option<Duration> {
    if let Some(positive) = text.strip_prefix('-') {
        return duration::parse(positive).ok().map(|_| Duration::ZERO);
    }
    duration::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_witness() {
        for (secret, seconds) in [
            (r#"{"x":1}"#, None),
            (r#"{"ttl":"30m","x":1}"#, Some(1800)),
            (r#"{"ttl":"0"}"#, Some(0)),
            (r#"{"ttl":90}"#, Some(90)),
            (r#"{"lease":"1h"}"#, Some(3600)),
            (r#"{"lease":3}"#, Some(3)),
            (r#"{"ttl":"1h","lease":"2h"}"#, Some(3600)),
            (r#"{"ttl":"bad","lease":"2h"}"#, None),
            (r#"{"ttl":"1.5h"}"#, Some(5400)),
            (r#"{"ttl":"1d"}"#, Some(86_400)),
            (r#"{"ttl":"500ms"}"#, Some(0)),
            (r#"{"ttl":99999999}"#, Some(99_999_999)),
            (r#"{"ttl":1.5}"#, None),
            (r#"{"ttl":true}"#, None),
            (r#"{"ttl":["1h"]}"#, None),
            (r#"{"ttl":null}"#, Some(0)),
            (r#"{"ttl":""}"#, Some(0)),
            (r#"{"ttl":-5}"#, Some(0)),
        ] {
            let data = JsonObject::from_text(secret).unwrap();
            assert_eq!(of(&data).map(|d| d.as_secs()), seconds, "{secret}");
        }
    }
}
