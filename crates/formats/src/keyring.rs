//! The keyring and the keys in it (storage-format §§3.2-3.3). Key bytes are wiped when dropped and never printed; the
//! encoded form holds them too, so whoever encodes wipes the result.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::json::{Fields, ObjectWriter, Record, Unknown};
use crate::{Error, GoTime};

/// What `MaxOperations` of a new keyring is, and at most: beyond it random nonces could repeat.
pub const MAX_OPERATIONS: i64 = 3_865_470_566;

/// The barrier's keys, one per term, and the root key that they are stored under.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyring {
    /// The root key, 32 bytes. Stored as `MasterKey`.
    pub root_key: Zeroizing<Vec<u8>>,
    /// In no order. The key of the highest term encrypts.
    pub keys: Vec<KeyringKey>,
    /// When the active key is replaced by itself.
    pub rotation: RotationConfig,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Keyring {
    /// The key that encrypts: the one of the highest term.
    #[must_use]
    pub fn active(&self) -> Option<&KeyringKey> {
        self.keys.iter().max_by_key(|key| key.term)
    }
}

impl Record for Keyring {
    const NAME: &'static str = "keyring";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            root_key: require_key(&mut fields, Self::NAME, "MasterKey")?,
            keys: fields.take_records("Keys")?,
            rotation: fields.take_record("RotationConfig")?.unwrap_or_default(),
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        write_key(object, "MasterKey", &self.root_key);
        object.records("Keys", &self.keys);
        object.record("RotationConfig", &self.rotation);
        object.rest(&self.unknown);
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// One key of the keyring. The root-key copies `core/master` and `core/root-key` have the same form, with term 1.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyringKey {
    /// Names the key in the records that it encrypted.
    pub term: u32,
    /// Always 1.
    pub version: u32,
    /// The key, 32 bytes.
    pub value: Zeroizing<Vec<u8>>,
    /// When it was made; not set in root-key copies.
    pub install_time: GoTime,
    /// How often it has encrypted, as far as that was saved. Left out when 0.
    pub encryptions: u64,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl KeyringKey {
    /// A key of this term.
    #[must_use]
    pub fn new(term: u32, value: Zeroizing<Vec<u8>>, install_time: GoTime) -> Self {
        Self {
            term,
            version: 1,
            value,
            install_time,
            encryptions: 0,
            unknown: Unknown::default(),
        }
    }
}

impl Record for KeyringKey {
    const NAME: &'static str = "barrier key";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            term: fields.require("Term")?,
            version: fields.take_or_default("Version")?,
            value: require_key(&mut fields, Self::NAME, "Value")?,
            install_time: fields.take_or_default("InstallTime")?,
            encryptions: fields.take_or_default("encryptions")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("Term", &self.term);
        object.field("Version", &self.version);
        write_key(object, "Value", &self.value);
        object.field("InstallTime", &self.install_time);
        object.field_if_set("encryptions", &self.encryptions);
        object.rest(&self.unknown);
    }
}

impl fmt::Debug for KeyringKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringKey")
            .field("term", &self.term)
            .field("install_time", &self.install_time)
            .finish_non_exhaustive()
    }
}

/// When the active key is replaced by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationConfig {
    /// Never.
    pub disabled: bool,
    /// After so many encryptions, between 1,000,000 and [`MAX_OPERATIONS`].
    pub max_operations: i64,
    /// After so many nanoseconds; 0: not by time.
    pub interval: i64,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self {
            disabled: false,
            max_operations: MAX_OPERATIONS,
            interval: 0,
            unknown: Unknown::default(),
        }
    }
}

impl Record for RotationConfig {
    const NAME: &'static str = "rotation configuration";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            disabled: fields.take_or_default("Disabled")?,
            max_operations: fields.take("MaxOperations")?.unwrap_or(MAX_OPERATIONS),
            interval: fields.take_or_default("Interval")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("Disabled", &self.disabled);
        object.field("MaxOperations", &self.max_operations);
        object.field("Interval", &self.interval);
        object.rest(&self.unknown);
    }
}

fn require_key(
    fields: &mut Fields<'_>,
    record: &'static str,
    field: &'static str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let key = fields.take_with(field, |json| {
        let text: Zeroizing<String> = Zeroizing::new(serde_json::from_str(json).ok()?);
        STANDARD.decode(text.as_str()).ok().map(Zeroizing::new)
    })?;
    key.ok_or(Error::Missing { record, field })
}

fn write_key(object: &mut ObjectWriter<'_>, name: &str, key: &[u8]) {
    let text = Zeroizing::new(STANDARD.encode(key));
    object.field(name, text.as_str());
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn key(term: u32) -> KeyringKey {
        let value = Zeroizing::new(vec![u8::try_from(term).unwrap(); 32]);
        KeyringKey::new(term, value, SystemTime::UNIX_EPOCH.into())
    }

    #[test]
    fn the_active_key_is_that_of_the_highest_term() {
        let mut keyring = Keyring {
            root_key: Zeroizing::new(vec![9; 32]),
            keys: vec![key(2), key(3), key(1)],
            rotation: RotationConfig::default(),
            unknown: Unknown::default(),
        };
        assert_eq!(keyring.active().map(|key| key.term), Some(3));
        keyring.keys.clear();
        assert!(keyring.active().is_none());
    }

    #[test]
    fn encryptions_are_left_out_when_zero() {
        let text = |key: &KeyringKey| String::from_utf8(key.encode()).unwrap();
        assert_eq!(
            text(&key(1)),
            r#"{"Term":1,"Version":1,"Value":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","InstallTime":"1970-01-01T00:00:00Z"}"#
        );
        let used = KeyringKey {
            encryptions: 12,
            ..key(1)
        };
        assert!(text(&used).ends_with(r#","encryptions":12}"#));
    }

    #[test]
    fn debug_and_errors_show_no_key() {
        let shown = format!("{:?}", key(1));
        assert!(
            !shown.contains("[1, 1") && !shown.contains("AQEB"),
            "{shown}"
        );
        let error = KeyringKey::decode(br#"{"Term":1,"Value":"not base64 hunter2"}"#).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
