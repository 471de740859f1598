//! Codes (RFC 4226 and 6238).

use super::key::Key;
use linchpin_crypto::{HmacKey, constant_time_eq};
use linchpin_engine::Error;

/// The number of the period that `now` is in. `period` is not zero; if it were, the first.
pub(super) fn counter(now: u64, period: u64) -> u64 {
    now.checked_div(period).unwrap_or(0)
}

impl Key {
    /// The code of one period.
    pub(super) fn code(&self, counter: u64) -> Result<String, Error> {
        Ok(code(&self.hmac()?, counter, self.digits))
    }

    /// Whether `given` is the code of `now`, or of a period that the skew allows.
    pub(super) fn verifies(&self, given: &str, now: u64) -> Result<bool, Error> {
        let hmac = self.hmac()?;
        let middle = counter(now, self.period);
        let skew = u64::from(self.skew);
        let first = middle.saturating_sub(skew);
        // Every candidate is compared, so that the time does not tell which one it was.
        Ok(
            (first..=middle.saturating_add(skew)).fold(false, |found, counter| {
                let expected = code(&hmac, counter, self.digits);
                found | constant_time_eq(expected.as_bytes(), given.as_bytes())
            }),
        )
    }
}

fn code(hmac: &HmacKey, counter: u64, digits: u32) -> String {
    let mac = hmac.sign(&counter.to_be_bytes());
    let offset = usize::from(mac.last().copied().unwrap_or(0) & 15);
    let word = mac
        .get(offset..offset + 4)
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
        .map_or(0, u32::from_be_bytes)
        & 0x7fff_ffff;
    let number = u64::from(word) % 10_u64.pow(digits.min(10));
    let width = usize::try_from(digits).unwrap_or(6);
    format!("{number:0width$}")
}

/// Seconds as Go prints a duration: `30s`, `1m30s`, `1h0m0s`.
pub(super) fn go_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::base32;
    use super::super::key::Algorithm;
    use super::*;

    fn key(algorithm: Algorithm, secret: &str, digits: u32, skew: u8) -> Key {
        Key {
            key: base32::encode(secret.as_bytes()),
            issuer: String::new(),
            account_name: String::new(),
            period: 30,
            algorithm,
            digits,
            skew,
        }
    }

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        let seed = "1234567890123456789012345678901234567890123456789012345678901234";
        let one = key(Algorithm::Sha1, &seed[..20], 8, 0);
        let two = key(Algorithm::Sha256, &seed[..32], 8, 0);
        let five = key(Algorithm::Sha512, seed, 8, 0);
        for (time, sha1, sha256, sha512) in [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ] {
            for (key, expected) in [(&one, sha1), (&two, sha256), (&five, sha512)] {
                assert_eq!(key.code(counter(time, 30)).unwrap(), expected, "{time}");
            }
        }
    }

    #[test]
    fn the_skew_decides_which_neighbours_count() {
        for (skew, off, valid) in [
            (0, 0, true),
            (0, 1, false),
            (1, 1, true),
            (1, -1, true),
            (1, 2, false),
            (1, -2, false),
        ] {
            let key = key(Algorithm::Sha1, "12345678901234567890", 6, skew);
            let given = key.code(1000_u64.saturating_add_signed(off)).unwrap();
            assert_eq!(key.verifies(&given, 30_000).unwrap(), valid, "{skew} {off}");
        }
        // At the beginning of time there is no period before.
        let first = key(Algorithm::Sha1, "12345678901234567890", 6, 1);
        assert!(first.verifies(&first.code(0).unwrap(), 0).unwrap());
        assert!(!first.verifies("abcdef", 0).unwrap());
    }

    #[test]
    fn durations_are_gos() {
        for (seconds, text) in [
            (30, "30s"),
            (90, "1m30s"),
            (3600, "1h0m0s"),
            (3661, "1h1m1s"),
        ] {
            assert_eq!(go_duration(seconds), text);
        }
    }
}
