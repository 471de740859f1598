//! One stored record (storage-format §3.1).
//!
//! ```text
//!  0      4  5             17            17+n     17+n+16
//!  ┌──────┬──┬─────────────┬─────────────┬────────┐
//!  │ term │ 2│ nonce       │ ciphertext n│ tag    │   AES-GCM; term big endian
//!  └──────┴──┴─────────────┴─────────────┴────────┘
//! ```
//!
//! Additional data of version 2 is the full key, so that a record moved to another key does not open. Version 1 has
//! none; it is read, never written.

use linchpin_crypto::AeadKey;
use linchpin_crypto::aead::{NONCE_LENGTH, TAG_LENGTH};
use linchpin_storage::Key;

use crate::{Error, Result};

/// The version that binds a record to its key; always written.
const BOUND: u8 = 2;
/// The version that does not.
const UNBOUND: u8 = 1;
const HEADER_LENGTH: usize = 5;

/// By how many bytes a record is longer than its plaintext.
pub const OVERHEAD: usize = HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH;

/// The term that the record names in its first four bytes; `None` when it is too short for a record.
#[must_use]
pub fn record_term(record: &[u8]) -> Option<u32> {
    if record.len() < OVERHEAD {
        return None;
    }
    record.first_chunk().map(|term| u32::from_be_bytes(*term))
}

/// Encrypts `plaintext` for `key` under `term`.
pub(crate) fn seal(aead: &AeadKey, term: u32, key: &Key, plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut record = Vec::with_capacity(plaintext.len() + OVERHEAD);
    record.extend_from_slice(&term.to_be_bytes());
    record.push(BOUND);
    aead.seal_into(key.as_str().as_bytes(), plaintext, &mut record)
        .map_err(Error::Cipher)?;
    Ok(record)
}

/// Decrypts the `record` stored under `key` with the key of the term that it names.
pub(crate) fn open<'a>(
    find: impl FnOnce(u32) -> Option<&'a AeadKey>,
    key: &Key,
    record: &[u8],
) -> Result<Vec<u8>> {
    let not_a_record = || Error::NotARecord { key: key.clone() };
    let term = record_term(record).ok_or_else(not_a_record)?;
    let (header, sealed) = record
        .split_at_checked(HEADER_LENGTH)
        .ok_or_else(not_a_record)?;
    let additional = match header.last() {
        Some(&BOUND) => key.as_str().as_bytes(),
        Some(&UNBOUND) => b"",
        _ => return Err(not_a_record()),
    };
    let key = || key.clone();
    let aead = find(term).ok_or_else(|| Error::UnknownTerm { key: key(), term })?;
    aead.open(additional, sealed)
        .map_err(|_| Error::Tampered { key: key(), term })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn aead() -> AeadKey {
        AeadKey::new(&[7; 32]).unwrap()
    }

    fn open_with(aead: &AeadKey, key: &str, record: &[u8]) -> Result<Vec<u8>> {
        open(|term| (term == 3).then_some(aead), &Key::new(key), record)
    }

    #[test]
    fn the_layout_is_that_of_the_format() {
        let record = seal(&aead(), 3, &Key::new("a/b"), b"").unwrap();
        assert_eq!(record.len(), 33);
        assert_eq!(&record[..5], [0, 0, 0, 3, 2]);
        assert_eq!(aead().open(b"a/b", &record[5..]).unwrap(), b"");
    }

    #[test]
    fn a_version_1_record_opens_under_any_key() {
        let mut record = vec![0, 0, 0, 3, 1];
        aead().seal_into(b"", b"old", &mut record).unwrap();
        assert_eq!(open_with(&aead(), "anywhere", &record).unwrap(), b"old");
    }

    #[test]
    fn every_flipped_byte_is_an_error_that_names_the_entry() {
        let record = seal(&aead(), 3, &Key::new("a/b"), b"plaintext").unwrap();
        for at in 0..record.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = record.clone();
                damaged[at] ^= flip;
                let error = open_with(&aead(), "a/b", &damaged).unwrap_err();
                assert!(error.to_string().contains("a/b"), "{error}");
                let expected = match at {
                    0..4 => matches!(error, Error::UnknownTerm { .. }),
                    4 => matches!(error, Error::NotARecord { .. } | Error::Tampered { .. }),
                    _ => matches!(error, Error::Tampered { term: 3, .. }),
                };
                assert!(expected, "byte {at}: {error:?}");
            }
        }
    }

    #[test]
    fn a_bound_record_cannot_be_passed_off_as_an_unbound_one() {
        let mut record = seal(&aead(), 3, &Key::new("a"), b"plaintext").unwrap();
        record[4] = UNBOUND;
        let error = open_with(&aead(), "a", &record).unwrap_err();
        assert!(matches!(error, Error::Tampered { .. }));
    }

    #[test]
    fn a_record_under_another_key_does_not_open() {
        let record = seal(&aead(), 3, &Key::new("a"), b"plaintext").unwrap();
        let error = open_with(&aead(), "b", &record).unwrap_err();
        assert!(matches!(error, Error::Tampered { .. }));
        assert_eq!(
            error.to_string(),
            "entry b does not authenticate under key term 3"
        );
    }

    #[test]
    fn short_bytes_are_no_record() {
        for length in 0..OVERHEAD {
            let error = open_with(&aead(), "a", &vec![0; length]).unwrap_err();
            assert!(matches!(error, Error::NotARecord { .. }), "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(key in "[a-z/]{1,20}", plaintext in any::<Vec<u8>>()) {
            let record = seal(&aead(), 3, &Key::new(key.as_str()), &plaintext).unwrap();
            prop_assert_eq!(record.len(), plaintext.len() + OVERHEAD);
            prop_assert_eq!(record_term(&record), Some(3));
            prop_assert_eq!(open_with(&aead(), &key, &record).unwrap(), plaintext);
        }
    }
}
