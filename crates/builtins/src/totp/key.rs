//! A key as it is stored (storage-format §7.7): `key/<name>`, JSON.

use super::base32;
use bytes::Bytes;
use linchpin_crypto::{HmacHash, HmacKey};
use linchpin_engine::Error;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The record. Its members stand in the order in which Vault writes them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// Base 32, as it was given, with padding; without when it was made here.
    pub(super) key: String,
    pub(super) issuer: String,
    pub(super) account_name: String,
    /// Seconds, at least 1.
    pub(super) period: u64,
    pub(super) algorithm: Algorithm,
    pub(super) digits: u32,
    pub(super) skew: u8,
}

/// Shows no key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("digits", &self.digits)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// The hash of the HMAC; stored as its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub(super) enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// The algorithm for a word of the API; upper case only.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.name() == word)
    }

    /// The word of the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    pub(super) fn hash(self) -> HmacHash {
        match self {
            Self::Sha1 => HmacHash::Sha1,
            Self::Sha256 => HmacHash::Sha256,
            Self::Sha512 => HmacHash::Sha512,
        }
    }
}

impl TryFrom<u8> for Algorithm {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            0 => Ok(Self::Sha1),
            1 => Ok(Self::Sha256),
            2 => Ok(Self::Sha512),
            _ => Err("unknown algorithm"),
        }
    }
}

impl From<Algorithm> for u8 {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => 0,
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
        }
    }
}

impl Key {
    /// The record's bytes; Vault ends them with a line feed.
    pub(super) fn encode(&self) -> Result<Bytes, Error> {
        let mut text = serde_json::to_vec(self)
            .map_err(|error| Error::internal("write the key as JSON").with_source(error))?;
        text.push(b'\n');
        Ok(text.into())
    }

    /// Reads a record.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let key: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::internal("the stored key cannot be read").with_source(error))?;
        if key.period == 0 {
            return Err(Error::internal("the stored key has no period"));
        }
        Ok(key)
    }

    /// The HMAC key.
    pub(super) fn hmac(&self) -> Result<HmacKey, Error> {
        let bytes = base32::decode(&base32::padded(&self.key))
            .map_err(|_| Error::internal("the stored key is not base 32"))?;
        Ok(HmacKey::new(self.algorithm.hash(), &bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_openbao_read_and_write_back() {
        for text in [
            "{\"key\":\"hxdmvje=\",\"issuer\":\"\",\"account_name\":\"a\",\"period\":30,\"algorithm\":0,\"digits\":6,\"skew\":1}\n",
            "{\"key\":\"HUIBIUUVQXWQ\",\"issuer\":\"i\",\"account_name\":\"b\",\"period\":45,\"algorithm\":2,\"digits\":8,\"skew\":0}\n",
        ] {
            let key = Key::decode(text.as_bytes()).unwrap();
            assert_eq!(key.encode().unwrap(), text.as_bytes());
            assert!(key.hmac().is_ok());
            assert!(
                !format!("{key:?}")
                    .to_lowercase()
                    .contains(&key.key.to_lowercase())
            );
        }
    }

    #[test]
    fn broken_records_are_errors() {
        for text in [
            "{}",
            "x",
            "{\"key\":\"AA\",\"issuer\":\"\",\"account_name\":\"\",\"period\":0,\"algorithm\":0,\"digits\":6,\"skew\":1}",
            "{\"key\":\"AA\",\"issuer\":\"\",\"account_name\":\"\",\"period\":30,\"algorithm\":9,\"digits\":6,\"skew\":1}",
        ] {
            assert!(Key::decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
