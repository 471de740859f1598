//! HMAC with the three hashes that Vault's formats use, and comparison in constant time.

use aws_lc_rs::{constant_time, hmac};

/// The hash inside an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HmacHash {
    /// SHA-1, 20 bytes: the default of TOTP. Sound inside an HMAC, unlike SHA-1 alone.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

/// A key for HMAC. `Debug` does not show it.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// A key from any number of bytes.
    pub fn new(hash: HmacHash, key: &[u8]) -> Self {
        let algorithm = match hash {
            HmacHash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            HmacHash::Sha256 => hmac::HMAC_SHA256,
            HmacHash::Sha512 => hmac::HMAC_SHA512,
        };
        Self(hmac::Key::new(algorithm, key))
    }

    /// The code of `data`: 20, 32 or 64 bytes, as the hash has.
    pub fn sign(&self, data: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, data).as_ref().to_vec()
    }

    /// Whether `code` is the code of `data`, compared in constant time.
    pub fn verify(&self, data: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.0, data, code).is_ok()
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}

/// Whether the two are equal, in a time that depends on their length alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 and RFC 4231, second test case: the key "Jefe".
    #[test]
    fn codes_match_the_rfc() {
        let check = |hash, expected: &str| {
            let key = HmacKey::new(hash, b"Jefe");
            let data = b"what do ya want for nothing?";
            assert_eq!(hex::encode(key.sign(data)), expected);
            assert!(key.verify(data, &hex::decode(expected).unwrap()));
            assert!(!key.verify(b"something else", &hex::decode(expected).unwrap()));
        };
        check(HmacHash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        check(
            HmacHash::Sha256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            HmacHash::Sha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        );
    }

    #[test]
    fn comparison_tells_equal_from_different() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"same", b"same"));
        assert!(!constant_time_eq(b"same", b"sane"));
        assert!(!constant_time_eq(b"same", b"same1"));
    }
}
