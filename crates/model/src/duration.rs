//! Durations as Vault's users write them (core-api §1.6).

use std::time::Duration;

/// Why a text is no duration. The text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct DurationError {
    words: String,
    /// What Go's own parser of durations says, where the words are another parser's.
    strictly: Option<String>,
}

impl DurationError {
    fn new(words: String) -> Self {
        Self {
            words,
            strictly: None,
        }
    }

    /// The words of an endpoint that reads durations with Go's own parser, which knows neither bare
    /// seconds nor a sign of ours.
    #[must_use]
    pub fn of_gos_parser(&self) -> &str {
        self.strictly.as_deref().unwrap_or(&self.words)
    }
}

/// Parses seconds (`90`) or Go's form (`1h30m`, `1.5h`, `250ms`), and `d` for 24 hours.
///
/// # Errors
/// [`DurationError`] for anything else, negative ones included.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(DurationError {
            words: format!("cannot provide negative value '{text}'"),
            strictly: Some(match text.strip_suffix('d') {
                Some(days) => no_integer(days),
                None => invalid(text),
            }),
        });
    }
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return Err(DurationError::new(invalid(text)));
    }
    while !rest.is_empty() {
        let number_len = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.len()
            - after
                .trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.')
                .len();
        let (unit, tail) = after.split_at(unit_len);
        let Ok(amount) = number.parse::<f64>() else {
            return Err(no_number(text));
        };
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            "" => {
                return Err(DurationError::new(format!(
                    "time: missing unit in duration {text:?}"
                )));
            }
            other => {
                return Err(DurationError::new(format!(
                    "time: unknown unit {other:?} in duration {text:?}"
                )));
            }
        };
        let part = Duration::try_from_secs_f64(amount * seconds)
            .map_err(|_| DurationError::new(invalid(text)))?;
        total = total
            .checked_add(part)
            .ok_or_else(|| DurationError::new(invalid(text)))?;
        rest = tail;
    }
    Ok(total)
}

fn no_integer(text: &str) -> String {
    format!("strconv.ParseInt: parsing {text:?}: invalid syntax")
}

fn invalid(text: &str) -> String {
    format!("time: invalid duration {text:?}")
}

/// What Go says of a text without a number: which of its parsers the text gets to depends on its
/// last letter.
fn no_number(text: &str) -> DurationError {
    match text.strip_suffix('d') {
        Some(days) => DurationError::new(no_integer(days)),
        None if text.ends_with(['s', 'm', 'h']) => DurationError::new(invalid(text)),
        None => DurationError {
            words: no_integer(text),
            strictly: Some(invalid(text)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_gos_forms_are_taken() {
        for (text, millis) in [
            ("90", 90_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
            ("1d", 86_400_000),
            ("1m30s", 90_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "bad", "-5s", "1.5", "1x", "s", "99999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for (text, reason) in [
            ("bad", "strconv.ParseInt: parsing \"ba\": invalid syntax"),
            ("zz", "strconv.ParseInt: parsing \"zz\": invalid syntax"),
            ("ms", "time: invalid duration \"ms\""),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), reason);
        }
        for (text, reason) in [
            ("bad", "strconv.ParseInt: parsing \"ba\": invalid syntax"),
            ("zz", "time: invalid duration \"zz\""),
            ("-x", "time: invalid duration \"-x\""),
            ("1x", "time: unknown unit \"x\" in duration \"1x\""),
        ] {
            assert_eq!(parse(text).unwrap_err().of_gos_parser(), reason);
        }
    }
}
