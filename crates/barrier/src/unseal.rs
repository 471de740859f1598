//! Opening a storage (storage-format §2.7): the unseal key opens the root key, the root key the keyring.

use std::sync::Arc;

use linchpin_crypto::{AeadKey, constant_time_eq};
use linchpin_formats::{BlobInfo, Keyring, KeyringKey, Record, StoredKeys, keys};
use linchpin_storage::{self as storage, Key};
use zeroize::Zeroizing;

use crate::cache::Cache;
use crate::initialise::root_key_copy;
use crate::keyring::Keys;
use crate::{Barrier, Error, Open, Result, record};

impl Barrier {
    /// Loads the keys with `unseal_key`, the 32 bytes that the shares combine to, and opens the barrier. Copies of the
    /// root key that differ from it are repaired (storage-format §11.1). Unsealing an open barrier loads the keys anew.
    ///
    /// # Errors
    /// [`Error::NotInitialised`]; [`Error::WrongUnsealKey`]; [`Error::RootKeyMismatch`]; [`Error::Tampered`] and
    /// [`Error::Format`] when the keyring is damaged; [`Error::Read`], [`Error::Commit`]. The barrier is then as it was.
    pub async fn unseal(&self, unseal_key: &[u8]) -> Result<()> {
        let root_key = self.root_key(unseal_key).await?;
        let keyring = self.keyring(&root_key).await?;
        if !constant_time_eq(&keyring.root_key, &root_key) {
            return Err(Error::RootKeyMismatch);
        }
        let keys = Keys::new(&keyring)?;
        self.repair_root_key_copies(&keys, &root_key).await?;
        let cache = Cache::new(self.settings.cache_bytes);
        self.open.store(Some(Arc::new(Open { keys, cache })));
        Ok(())
    }

    async fn root_key(&self, unseal_key: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let key = Key::new(keys::STORED_KEYS);
        let stored = self.read_raw(&key).await?.ok_or(Error::NotInitialised)?;
        let malformed = |source| Error::Format {
            key: key.clone(),
            source,
        };
        let blob = BlobInfo::decode(&stored).map_err(malformed)?;
        // A key of the wrong length and one of the wrong value are the same mistake: wrong shares.
        let aead = AeadKey::new(unseal_key).map_err(|_| Error::WrongUnsealKey)?;
        let list = aead
            .open(b"", &blob.sealed())
            .map(Zeroizing::new)
            .map_err(|_| Error::WrongUnsealKey)?;
        StoredKeys::decode(&list).map_err(malformed)
    }

    async fn keyring(&self, root_key: &[u8]) -> Result<Keyring> {
        let key = Key::new(keys::KEYRING);
        let stored = self.read_raw(&key).await?.ok_or(Error::NotInitialised)?;
        let root = AeadKey::new(root_key).map_err(Error::Cipher)?;
        let plaintext = record::open(|_| Some(&root), &key, &stored).map(Zeroizing::new)?;
        Keyring::decode(&plaintext).map_err(|source| Error::Format { key, source })
    }

    /// A stale copy stops an OpenBao or Vault with HA at its next step-up, so one that exists must be right.
    async fn repair_root_key_copies(
        &self,
        keys: &Keys,
        root_key: &Zeroizing<Vec<u8>>,
    ) -> Result<()> {
        let mut batch = storage::Batch::new();
        for key in [keys::ROOT_KEY_COPY, keys::ROOT_KEY_COPY_OPENBAO] {
            let key = Key::new(key);
            let Some(stored) = self.read_raw(&key).await? else {
                continue;
            };
            let plaintext = keys.open(&key, &stored).map(Zeroizing::new);
            let copy = plaintext.map(|plaintext| KeyringKey::decode(&plaintext));
            if let Ok(Ok(copy)) = copy
                && constant_time_eq(&copy.value, root_key)
            {
                continue;
            }
            let repaired = keys.seal(&key, &root_key_copy(root_key))?;
            batch.if_equals(key.clone(), stored).put(key, repaired);
        }
        if !batch.is_empty() {
            self.store.commit(batch).await?;
        }
        Ok(())
    }
}
