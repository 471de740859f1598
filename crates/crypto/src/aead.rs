//! AES-GCM with a random nonce for every message.
//!
//! ```text
//! sealed = nonce (12 bytes) ‖ ciphertext (as long as the plaintext) ‖ tag (16 bytes)
//! ```
//!
//! Random nonces bound how much one key may seal: the barrier rotates its key before 2³² messages
//! (storage-format §3.2).

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{Error, random};

/// Length of the nonce at the front of sealed bytes.
pub const NONCE_LENGTH: usize = 12;
/// Length of the tag at the end of sealed bytes.
pub const TAG_LENGTH: usize = 16;

/// A key that seals and opens. The library wipes the key's memory when it is freed; `Debug` does not show it.
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    /// A key of 32 bytes (AES-256, the only length that is ever written) or, for old records, 16 or 24.
    ///
    /// # Errors
    /// [`Error::KeyLength`] for any other length.
    pub fn new(key: &[u8]) -> Result<Self, Error> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            32 => &AES_256_GCM,
            length => return Err(Error::KeyLength { length }),
        };
        let unbound =
            UnboundKey::new(algorithm, key).map_err(|_| Error::KeyLength { length: key.len() })?;
        Ok(Self(LessSafeKey::new(unbound)))
    }

    /// Appends nonce, ciphertext and tag of `plaintext` to `out`, bound to `additional` data that is not stored.
    ///
    /// # Errors
    /// [`Error::TooLong`] above GCM's limit of 64 GiB; `out` is then as it was.
    pub fn seal_into(
        &self,
        additional: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let too_long = Error::TooLong {
            length: plaintext.len(),
        };
        let start = out.len();
        let nonce = random::bytes::<NONCE_LENGTH>();
        out.reserve(NONCE_LENGTH + plaintext.len() + TAG_LENGTH);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let tag = out.get_mut(start + NONCE_LENGTH..).and_then(|body| {
            self.0
                .seal_in_place_separate_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(additional),
                    body,
                )
                .ok()
        });
        let Some(tag) = tag else {
            out.truncate(start);
            return Err(too_long);
        };
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Nonce, ciphertext and tag of `plaintext` in one new buffer.
    ///
    /// # Errors
    /// As [`AeadKey::seal_into`].
    pub fn seal(&self, additional: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.seal_into(additional, plaintext, &mut out)?;
        Ok(out)
    }

    /// The plaintext of `sealed` (nonce, ciphertext, tag), if it was sealed by this key with this `additional` data.
    ///
    /// # Errors
    /// [`Error::Truncated`] when it cannot be sealed bytes at all, [`Error::Unauthentic`] when it is not these.
    pub fn open(&self, additional: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let truncated = || Error::Truncated {
            length: sealed.len(),
        };
        let (nonce, rest) = sealed
            .split_at_checked(NONCE_LENGTH)
            .ok_or_else(truncated)?;
        let length = rest.len().checked_sub(TAG_LENGTH).ok_or_else(truncated)?;
        let (ciphertext, tag) = rest.split_at_checked(length).ok_or_else(truncated)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| truncated())?;
        let mut plaintext = vec![0; length];
        self.0
            .open_separate_gather(
                nonce,
                Aad::from(additional),
                ciphertext,
                tag,
                &mut plaintext,
            )
            .map_err(|_| Error::Unauthentic)?;
        Ok(plaintext)
    }
}

impl std::fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AeadKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> AeadKey {
        AeadKey::new(&[7; 32]).unwrap()
    }

    #[test]
    fn only_aes_key_lengths_are_accepted() {
        for length in 0..=64 {
            let made = AeadKey::new(&vec![1; length]);
            assert_eq!(made.is_ok(), matches!(length, 16 | 24 | 32), "{length}");
        }
    }

    #[test]
    fn the_same_plaintext_never_seals_to_the_same_bytes() {
        assert_ne!(
            key().seal(b"k", b"v").unwrap(),
            key().seal(b"k", b"v").unwrap()
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = key().seal(b"core/mounts", b"plaintext").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let opened = key().open(b"core/mounts", &damaged);
            assert!(matches!(opened, Err(Error::Unauthentic)), "bit {bit}");
        }
    }

    #[test]
    fn other_additional_data_or_key_does_not_open() {
        let sealed = key().seal(b"a", b"plaintext").unwrap();
        assert!(matches!(key().open(b"b", &sealed), Err(Error::Unauthentic)));
        let other = AeadKey::new(&[8; 32]).unwrap();
        assert!(matches!(other.open(b"a", &sealed), Err(Error::Unauthentic)));
    }

    #[test]
    fn short_input_is_an_error_of_its_own() {
        for length in 0..NONCE_LENGTH + TAG_LENGTH {
            let opened = key().open(b"", &vec![0; length]);
            assert!(matches!(opened, Err(Error::Truncated { .. })), "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(additional in any::<Vec<u8>>(), plaintext in any::<Vec<u8>>()) {
            let sealed = key().seal(&additional, &plaintext).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + NONCE_LENGTH + TAG_LENGTH);
            prop_assert_eq!(key().open(&additional, &sealed).unwrap(), plaintext);
        }
    }
}
