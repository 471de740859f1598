//! [`BlobInfo`]: bytes encrypted by the seal (storage-format §2.4), a protobuf message.
//!
//! ```text
//! 1 ciphertext   2 iv   5 key info { 3 key id }   others: kept as they are
//! ```

use crate::Error;
use crate::wire::{Fields, Value, put_bytes};

const CIPHERTEXT: u32 = 1;
const IV: u32 = 2;
const KEY_INFO: u32 = 5;
const KEY_ID: u32 = 3;

/// Bytes encrypted by the seal, with AES-256-GCM and no additional data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobInfo {
    /// Ciphertext and tag, with the nonce in front when `iv` is empty.
    pub ciphertext: Vec<u8>,
    /// The nonce, when it is kept apart.
    pub iv: Vec<u8>,
    /// The raw message that describes the key; `None` when the field is missing. Empty for a Shamir seal.
    pub key_info: Option<Vec<u8>>,
    /// Fields of other versions and products, as they were written.
    pub unknown: Vec<u8>,
}

impl BlobInfo {
    const NAME: &'static str = "sealed blob";

    /// The form that a Shamir seal writes: `sealed` is nonce, ciphertext and tag.
    #[must_use]
    pub fn shamir(sealed: Vec<u8>) -> Self {
        Self {
            ciphertext: sealed,
            key_info: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Nonce, ciphertext and tag in one piece, whichever way they were written: this covers both forms and the
    /// releases that mixed them.
    #[must_use]
    pub fn sealed(&self) -> Vec<u8> {
        [self.iv.as_slice(), self.ciphertext.as_slice()].concat()
    }

    /// Which key of an auto seal it was encrypted with; empty for a Shamir seal.
    ///
    /// # Errors
    /// [`Error::Wire`] when the description is damaged.
    pub fn key_id(&self) -> Result<String, Error> {
        let mut id = String::new();
        for field in Fields::new(
            "key description",
            self.key_info.as_deref().unwrap_or_default(),
        ) {
            let field = field?;
            if let (KEY_ID, Value::Bytes(bytes)) = (field.number, field.value) {
                id = String::from_utf8_lossy(bytes).into_owned();
            }
        }
        Ok(id)
    }

    /// Reads a blob.
    ///
    /// # Errors
    /// [`Error::Wire`].
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let mut blob = Self::default();
        for field in Fields::new(Self::NAME, message) {
            let field = field?;
            match (field.number, field.value) {
                (CIPHERTEXT, Value::Bytes(bytes)) => blob.ciphertext = bytes.to_vec(),
                (IV, Value::Bytes(bytes)) => blob.iv = bytes.to_vec(),
                // A message that is written in several pieces is their concatenation.
                (KEY_INFO, Value::Bytes(bytes)) => blob
                    .key_info
                    .get_or_insert_default()
                    .extend_from_slice(bytes),
                _ => blob.unknown.extend_from_slice(field.raw),
            }
        }
        Ok(blob)
    }

    /// Writes the blob; empty fields are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.ciphertext.is_empty() {
            put_bytes(&mut out, CIPHERTEXT, &self.ciphertext);
        }
        if !self.iv.is_empty() {
            put_bytes(&mut out, IV, &self.iv);
        }
        if let Some(key_info) = &self.key_info {
            put_bytes(&mut out, KEY_INFO, key_info);
        }
        out.extend_from_slice(&self.unknown);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shamir_blob_has_an_empty_key_description() {
        assert_eq!(
            BlobInfo::shamir(b"abc".to_vec()).encode(),
            b"\x0a\x03abc\x2a\x00"
        );
    }

    #[test]
    fn the_nonce_may_be_apart_or_in_front() {
        let apart = BlobInfo {
            iv: b"nonce".to_vec(),
            ciphertext: b"rest".to_vec(),
            ..BlobInfo::default()
        };
        assert_eq!(apart.sealed(), b"noncerest");
        assert_eq!(
            BlobInfo::shamir(b"noncerest".to_vec()).sealed(),
            b"noncerest"
        );
    }

    #[test]
    fn fields_of_vault_are_kept() {
        // hmac = 3, wrapped = 4, value path = 6, and one that nobody knows yet.
        let message =
            b"\x0a\x01c\x12\x01n\x2a\x05\x08\x01\x1a\x01k\x1a\x02hm\x20\x01\x32\x01p\xa2\x06\x01x";
        let blob = BlobInfo::decode(message).unwrap();
        assert_eq!(blob.key_id().unwrap(), "k");
        assert_eq!(blob.unknown, b"\x1a\x02hm\x20\x01\x32\x01p\xa2\x06\x01x");
        assert_eq!(blob.encode(), message);
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(
            ciphertext in any::<Vec<u8>>(),
            iv in any::<Vec<u8>>(),
            key_info in any::<Option<Vec<u8>>>(),
        ) {
            let blob = BlobInfo { ciphertext, iv, key_info, unknown: b"\x30\x07".to_vec() };
            prop_assert_eq!(BlobInfo::decode(&blob.encode()).unwrap(), blob);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(blob) = BlobInfo::decode(&bytes) {
                let _ = blob.key_id();
            }
        }
    }
}
