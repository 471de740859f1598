//! `grpc-timeout`: how long a call may still take, as gRPC's HTTP/2 protocol writes it: at most eight digits and a unit
//! (plugin-protocol §1.10).

#[cfg(feature = "host")]
use std::io::{Cursor, Write as _};
use std::time::Duration;

use http::HeaderName;
#[cfg(feature = "host")]
use http::HeaderValue;

/// The key.
pub(crate) const NAME: HeaderName = HeaderName::from_static("grpc-timeout");

/// How many digits there may be.
const DIGITS: usize = 8;
/// The largest number of so many digits.
#[cfg(feature = "host")]
const MOST: u128 = 99_999_999;
/// The units from milliseconds on, and their length in nanoseconds. Nothing here is finer.
#[cfg(feature = "host")]
const UNITS: [(char, u128); 4] = [
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];
/// From here on whole seconds are fine enough. Most limits are longer, and then most calls carry the same few values, which HTTP/2
/// sends as one byte; a new value for every call would push the other headers out of its table.
#[cfg(feature = "host")]
const COARSE: Duration = Duration::from_secs(10);

/// The value for what is left. It is rounded up, so that the time of who sends it is over first.
#[cfg(feature = "host")]
pub(crate) fn to_header(left: Duration) -> Option<HeaderValue> {
    let finest = usize::from(left >= COARSE);
    let in_units = UNITS
        .iter()
        .skip(finest)
        .map(|(unit, length)| (left.as_nanos().div_ceil(*length), unit));
    // Only a time that no clock shows has no unit.
    let (amount, unit) = in_units
        .into_iter()
        .find(|(amount, _)| *amount <= MOST)
        .unwrap_or((MOST, &'H'));
    let mut text = Cursor::new([0; DIGITS + 1]);
    // The number is to be a positive one.
    write!(text, "{}{unit}", amount.max(1)).ok()?;
    let length = usize::try_from(text.position()).ok()?;
    HeaderValue::from_bytes(text.get_ref().get(..length)?).ok()
}

/// What a value says; `None` for one that says nothing.
#[cfg(feature = "guest")]
pub(crate) fn from_text(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(all(test, feature = "host", feature = "guest"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_rounded_up_and_has_at_most_eight_digits() {
        let second = Duration::from_secs(1);
        for (left, expected) in [
            (Duration::ZERO, "1m"),
            (Duration::from_nanos(1), "1m"),
            (Duration::from_micros(1_500), "2m"),
            (9 * second, "9000m"),
            (Duration::from_nanos(9_999_999_999), "10000m"),
            (10 * second, "10S"),
            (Duration::from_millis(89_999), "90S"),
            (90 * second, "90S"),
            (99_999_999 * second, "99999999S"),
            (100_000_000 * second, "1666667M"),
            (Duration::MAX, "99999999H"),
        ] {
            let header = to_header(left).unwrap();
            assert_eq!(header, expected);
            let read = from_text(header.to_str().unwrap()).unwrap();
            assert!(read >= left || left == Duration::MAX, "{left:?}: {read:?}");
        }
    }

    #[test]
    fn every_unit_is_read_and_what_is_none_says_nothing() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_secs(359_999_996_400))),
            ("100000000n", None),
            ("+5S", None),
            ("-5S", None),
            ("5", None),
            ("S", None),
            ("5s", None),
            ("5é", None),
            ("", None),
        ] {
            assert_eq!(from_text(text), expected, "{text:?}");
        }
    }
}
