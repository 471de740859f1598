//! The keys in memory: one cipher per term, and the count of what the active one encrypted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use linchpin_crypto::AeadKey;
use linchpin_formats::Keyring;
use linchpin_storage::Key;

use crate::{Error, Result, record};

/// The ciphers of an unsealed barrier.
pub(crate) struct Keys {
    by_term: BTreeMap<u32, AeadKey>,
    active: u32,
    /// Encryptions under the active term since unseal. Random nonces bound how many there may be (§3.2).
    encryptions: AtomicU64,
}

impl Keys {
    /// The ciphers for a keyring's keys.
    ///
    /// # Errors
    /// [`Error::EmptyKeyring`], or [`Error::Cipher`] when a key has a length that no cipher has.
    pub(crate) fn new(keyring: &Keyring) -> Result<Self> {
        let active = keyring.active().ok_or(Error::EmptyKeyring)?.term;
        let by_term = keyring
            .keys
            .iter()
            .map(|key| Ok((key.term, AeadKey::new(&key.value).map_err(Error::Cipher)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            by_term,
            active,
            encryptions: AtomicU64::new(0),
        })
    }

    /// The record of `plaintext` for `key` under the active term.
    pub(crate) fn seal(&self, key: &Key, plaintext: &[u8]) -> Result<Vec<u8>> {
        let aead = self.by_term.get(&self.active).ok_or(Error::EmptyKeyring)?;
        let record = record::seal(aead, self.active, key, plaintext)?;
        self.encryptions.fetch_add(1, Ordering::Relaxed);
        Ok(record)
    }

    /// The plaintext of the record stored under `key`.
    pub(crate) fn open(&self, key: &Key, record: &[u8]) -> Result<Vec<u8>> {
        record::open(|term| self.by_term.get(&term), key, record)
    }

    /// The term that new records are written under.
    pub(crate) fn active_term(&self) -> u32 {
        self.active
    }

    pub(crate) fn encryptions(&self) -> u64 {
        self.encryptions.load(Ordering::Relaxed)
    }
}
