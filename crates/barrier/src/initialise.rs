//! Making a new storage (storage-format §§2.8, 11.1): fresh keys, and the entries that a server needs before it can
//! be unsealed for the first time.

use std::time::SystemTime;

use linchpin_crypto::{AeadKey, Secret, random};
use linchpin_formats::{
    BlobInfo, ClusterInfo, Flavour, GoTime, Keyring, KeyringKey, Record, RotationConfig,
    SealConfig, StoredKeys, Unknown, keys,
};
use linchpin_storage::{self as storage, Key};
use zeroize::Zeroizing;

use crate::keyring::Keys;
use crate::{Barrier, Error, Result, record};

/// The term that a keyring's record always names (storage-format §3.2).
pub(crate) const KEYRING_TERM: u32 = 1;
const KEY_LENGTH: usize = 32;

/// What initialising made.
#[derive(Debug)]
pub struct Initialised {
    /// The unseal key, 32 bytes. With one share it is the share (storage-format §2.5). It is stored nowhere outside the
    /// barrier: whoever loses it loses the data.
    pub unseal_key: Secret<Vec<u8>>,
    /// The new cluster's name and id.
    pub cluster: ClusterInfo,
}

impl Barrier {
    /// Writes a new storage of the neutral flavour with a Shamir seal of one share, in one batch, and leaves it sealed.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`] when the store holds a keyring or a seal configuration: nothing was written.
    pub async fn initialise(&self, now: SystemTime) -> Result<Initialised> {
        let unseal_key = fresh_key();
        let root_key = fresh_key();
        let first = KeyringKey::new(1, fresh_key(), now.into());
        let keyring = Keyring {
            root_key: root_key.clone(),
            keys: vec![first],
            rotation: RotationConfig::default(),
            unknown: Unknown::default(),
        };
        let id = random::bytes::<4>().map(|byte| format!("{byte:02x}"));
        let cluster = ClusterInfo {
            name: format!("vault-cluster-{}", id.concat()),
            id: random::uuid(),
            unknown: Unknown::default(),
        };

        let mut batch = storage::Batch::new();
        for key in [keys::KEYRING, keys::SEAL_CONFIG, keys::STORED_KEYS] {
            batch.if_absent(Key::new(key));
        }
        batch.put(Key::new(keys::KEYRING), sealed_keyring(&keyring)?);
        let barrier_keys = Keys::new(&keyring)?;
        let copy = root_key_copy(&root_key);
        for (key, plaintext) in [
            (keys::ROOT_KEY_COPY, copy.as_slice()),
            (keys::SHAMIR_KEK, unseal_key.as_slice()),
            (keys::CLUSTER_INFO, &cluster.encode()),
            (keys::FLAVOUR, Flavour::Neutral.as_str().as_bytes()),
        ] {
            let key = Key::new(key);
            let record = barrier_keys.seal(&key, plaintext)?;
            batch.put(key, record);
        }
        let config = SealConfig::shamir(1, 1).encode();
        batch.put(Key::new(keys::SEAL_CONFIG), config);
        let stored = stored_keys(&unseal_key, &root_key)?;
        batch.put(Key::new(keys::STORED_KEYS), stored);

        match self.store.commit(batch).await {
            Ok(_) => Ok(Initialised {
                unseal_key: Secret::new(unseal_key.to_vec()),
                cluster,
            }),
            Err(storage::Error::Conflict { .. }) => Err(Error::AlreadyInitialised),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the store holds what unsealing needs. Works while sealed.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub async fn is_initialised(&self) -> Result<bool> {
        let keyring = self.read_raw(&Key::new(keys::KEYRING)).await?;
        let config = self.read_raw(&Key::new(keys::SEAL_CONFIG)).await?;
        Ok(keyring.is_some() && config.is_some())
    }

    /// The seal's configuration, which lies outside the barrier. Works while sealed.
    ///
    /// # Errors
    /// [`Error::NotInitialised`] when there is none, [`Error::Format`], [`Error::Read`].
    pub async fn seal_config(&self) -> Result<SealConfig> {
        let key = Key::new(keys::SEAL_CONFIG);
        let stored = self.read_raw(&key).await?.ok_or(Error::NotInitialised)?;
        SealConfig::decode(&stored).map_err(|source| Error::Format { key, source })
    }
}

/// The keyring as it is stored: a record under the root key.
fn sealed_keyring(keyring: &Keyring) -> Result<Vec<u8>> {
    let plaintext = Zeroizing::new(keyring.encode());
    let root = AeadKey::new(&keyring.root_key).map_err(Error::Cipher)?;
    record::seal(&root, KEYRING_TERM, &Key::new(keys::KEYRING), &plaintext)
}

/// The root key as it is stored: a blob under the unseal key.
fn stored_keys(unseal_key: &[u8], root_key: &[u8]) -> Result<Vec<u8>> {
    let unseal = AeadKey::new(unseal_key).map_err(Error::Cipher)?;
    let sealed = unseal.seal(b"", &StoredKeys::encode(root_key));
    Ok(BlobInfo::shamir(sealed.map_err(Error::Cipher)?).encode())
}

/// The plaintext of a root-key copy.
pub(crate) fn root_key_copy(root_key: &Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(KeyringKey::new(1, root_key.clone(), GoTime::ZERO).encode())
}

fn fresh_key() -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(vec![0; KEY_LENGTH]);
    random::fill(&mut key);
    key
}
