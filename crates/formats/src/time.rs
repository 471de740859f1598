//! Moments as Go writes them: RFC 3339, up to nine digits of fraction, year 1 for "not set" (storage-format §0).

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

/// A moment in a record. Keeps the numeric UTC offset that old entries carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoTime(OffsetDateTime);

impl GoTime {
    /// Go's zero time, which means "not set".
    pub const ZERO: Self = Self(datetime!(0001-01-01 00:00:00 UTC));

    /// Whether it means "not set".
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The moment on the system's time line.
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        self.0.into()
    }
}

impl Default for GoTime {
    fn default() -> Self {
        Self::ZERO
    }
}

/// Moments outside the years 1 to 9999, which cannot be written, become the nearest that can.
impl From<SystemTime> for GoTime {
    fn from(moment: SystemTime) -> Self {
        let nanoseconds = match moment.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |n| -n),
        };
        let nearest = nanoseconds.clamp(
            Self::ZERO.0.unix_timestamp_nanos(),
            LAST.unix_timestamp_nanos(),
        );
        Self(OffsetDateTime::from_unix_timestamp_nanos(nearest).unwrap_or(LAST))
    }
}

/// The last moment that RFC 3339 can write.
const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59.999999999 UTC);

impl Serialize for GoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A year beyond 9999 cannot be written in RFC 3339; Go's encoder refuses it as well.
        let text = self.0.format(&Rfc3339).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for GoTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &Rfc3339);
        moment.map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_were_read() {
        for text in [
            "\"2026-11-22T04:37:34.741799812Z\"",
            "\"2026-11-22T04:37:34.74Z\"",
            "\"2026-11-22T04:37:34Z\"",
            "\"2019-02-03T04:05:06.5+01:00\"",
            "\"0001-01-01T00:00:00Z\"",
        ] {
            let time: GoTime = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&time).unwrap(), text);
        }
    }

    #[test]
    fn only_the_zero_time_is_not_set() {
        let zero: GoTime = serde_json::from_str("\"0001-01-01T00:00:00Z\"").unwrap();
        assert!(zero.is_zero() && GoTime::default().is_zero());
        assert!(!GoTime::from(SystemTime::UNIX_EPOCH).is_zero());
        let far = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
        let far = serde_json::to_string(&GoTime::from(far)).unwrap();
        assert_eq!(far, "\"9999-12-31T23:59:59.999999999Z\"");
        assert_eq!(
            GoTime::from(SystemTime::UNIX_EPOCH).to_system_time(),
            SystemTime::UNIX_EPOCH
        );
    }
}
