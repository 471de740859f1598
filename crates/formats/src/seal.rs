//! What is stored outside the barrier so that it can be opened: the seal's configuration and, inside a [`BlobInfo`],
//! the stored keys (storage-format §§2.2-2.4).
//!
//! [`BlobInfo`]: crate::BlobInfo

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::Error;
use crate::json::{Fields, ObjectWriter, Record, Unknown};

/// How the unseal key is kept: `core/seal-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealConfig {
    /// `shamir`, or the name of an auto seal. Empty means `shamir`.
    pub seal_type: String,
    /// Into how many shares the key is split, 1 to 255.
    pub secret_shares: u32,
    /// How many of them are needed.
    pub secret_threshold: u32,
    /// Public keys for which shares were encrypted, in base64.
    pub pgp_keys: Option<Vec<String>>,
    /// Nonce of an unfinished rekey.
    pub nonce: String,
    /// Whether encrypted shares are backed up.
    pub backup: bool,
    /// How many keys are stored for the seal. OpenBao leaves it out and 0 is read; 1 is written whatever it was,
    /// because without it Vault takes the storage for the scheme before 1.3 and cannot unseal it.
    pub stored_shares: u32,
    /// Fields of other versions and products, among them Vault's `name`.
    pub unknown: Unknown,
}

impl SealConfig {
    /// A Shamir seal of `shares` shares, `threshold` of which open it.
    #[must_use]
    pub fn shamir(shares: u32, threshold: u32) -> Self {
        Self {
            seal_type: "shamir".to_owned(),
            secret_shares: shares,
            secret_threshold: threshold,
            pgp_keys: None,
            nonce: String::new(),
            backup: false,
            stored_shares: 1,
            unknown: Unknown::default(),
        }
    }

    /// Whether the unseal key is put together from shares.
    #[must_use]
    pub fn is_shamir(&self) -> bool {
        matches!(self.seal_type.as_str(), "" | "shamir")
    }

    /// Whether the numbers are possible: 1 ≤ threshold ≤ shares ≤ 255, and a threshold of at least 2 for several.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let (shares, threshold) = (self.secret_shares, self.secret_threshold);
        (1..=255).contains(&shares)
            && (1..=shares).contains(&threshold)
            && (shares == 1 || threshold >= 2)
    }
}

impl Record for SealConfig {
    const NAME: &'static str = "seal configuration";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            seal_type: fields.take_or_default("type")?,
            secret_shares: fields.take_or_default("secret_shares")?,
            secret_threshold: fields.take_or_default("secret_threshold")?,
            pgp_keys: fields.take("pgp_keys")?,
            nonce: fields.take_or_default("nonce")?,
            backup: fields.take_or_default("backup")?,
            stored_shares: fields.take_or_default("stored_shares")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("type", &self.seal_type);
        object.field("secret_shares", &self.secret_shares);
        object.field("secret_threshold", &self.secret_threshold);
        object.field("pgp_keys", &self.pgp_keys);
        object.field("nonce", &self.nonce);
        object.field("backup", &self.backup);
        object.field("stored_shares", &self.stored_shares.max(1));
        object.rest(&self.unknown);
    }
}

/// The plaintext of `core/hsm/barrier-unseal-keys`: a JSON list with one base64 text, the root key.
pub struct StoredKeys;

impl StoredKeys {
    const NAME: &'static str = "list of stored keys";

    /// The root key in the list.
    ///
    /// # Errors
    /// [`Error::Json`] when it is no list of texts, [`Error::Field`] when it does not hold exactly one key.
    pub fn decode(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let items: Vec<&RawValue> =
            serde_json::from_slice(plaintext).map_err(|error| Error::Json {
                record: Self::NAME,
                line: error.line(),
                column: error.column(),
            })?;
        let key = match items.as_slice() {
            [item] => serde_json::from_str::<String>(item.get()).ok(),
            _ => None,
        };
        let key = key.map(Zeroizing::new);
        let bytes = key.and_then(|text| STANDARD.decode(text.as_str()).ok());
        bytes.map(Zeroizing::new).ok_or(Error::Field {
            record: Self::NAME,
            field: "[0]",
        })
    }

    /// The list with this root key.
    #[must_use]
    pub fn encode(root_key: &[u8]) -> Zeroizing<Vec<u8>> {
        let text = Zeroizing::new(STANDARD.encode(root_key));
        Zeroizing::new(format!("[\"{}\"]", text.as_str()).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_configuration_is_that_of_the_reference_with_stored_shares() {
        assert_eq!(
            String::from_utf8(SealConfig::shamir(1, 1).encode()).unwrap(),
            r#"{"type":"shamir","secret_shares":1,"secret_threshold":1,"pgp_keys":null,"nonce":"","backup":false,"stored_shares":1}"#
        );
    }

    #[test]
    fn the_name_that_vault_writes_is_kept() {
        let json = br#"{"type":"shamir","secret_shares":5,"secret_threshold":3,"pgp_keys":["a"],"nonce":"","backup":false,"stored_shares":1,"name":"shamir"}"#;
        let config = SealConfig::decode(json).unwrap();
        assert_eq!(config.encode(), json);
    }

    #[test]
    fn impossible_numbers_are_not_valid() {
        let check = |shares, threshold, valid| {
            assert_eq!(
                SealConfig::shamir(shares, threshold).is_valid(),
                valid,
                "{shares} {threshold}"
            );
        };
        check(1, 1, true);
        check(5, 3, true);
        check(255, 255, true);
        check(0, 0, false);
        check(5, 0, false);
        check(5, 1, false);
        check(3, 4, false);
        check(256, 3, false);
    }

    #[test]
    fn stored_keys_are_a_list_of_exactly_one() {
        let list = StoredKeys::encode(&[7; 32]);
        assert_eq!(
            list.as_slice(),
            b"[\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"]"
        );
        assert_eq!(StoredKeys::decode(&list).unwrap().as_slice(), [7; 32]);
        for wrong in ["[]", "[\"AA==\",\"AA==\"]", "[1]", "[\"?\"]", "{}", ""] {
            assert!(StoredKeys::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
