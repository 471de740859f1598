//! The barrier: an encrypted view over an untrusted store (storage-format §§2-3, design §6).
//!
//! Below it lies a [`DynStorage`] that sees only ciphertext; above it there are only plaintext values and opaque
//! [`Version`]s. While the server is sealed there is no key in memory and every call answers [`Error::Sealed`].
//!
//! ```
//! # use std::{sync::Arc, time::SystemTime};
//! # use linchpin_barrier::{Barrier, Batch, Key, Settings};
//! # use linchpin_storage::MemoryStore;
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), linchpin_barrier::Error> {
//! let barrier = Barrier::new(Arc::new(MemoryStore::new()), Settings::default());
//! let made = barrier.initialise(SystemTime::now()).await?;
//! barrier.unseal(made.unseal_key.expose()).await?;
//!
//! let key = Key::new("logical/1234/app");
//! let mut batch = Batch::new();
//! batch.put(key.clone(), "plaintext");
//! barrier.commit(batch).await?;
//!
//! // Read, then write only if nobody else has written in between.
//! let entry = barrier.get(&key).await?.expect("it was just written");
//! let mut batch = Batch::new();
//! batch.put(key.clone(), "next").if_unchanged(key, &entry.version);
//! barrier.commit(batch).await?;
//! # Ok(()) }
//! ```

mod batch;
mod cache;
mod error;
mod initialise;
mod keyring;
mod record;
mod unseal;
mod view;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use linchpin_storage::DynStorage;

pub use batch::{Batch, Entry, Version};
pub use error::Error;
pub use initialise::Initialised;
/// What keys, listings and commits are called, for crates that see the store only through the barrier.
pub use linchpin_storage::{ChangeIndex, Key, Listing, Page, Prefix};
pub use record::{OVERHEAD, record_term};

use cache::{Cache, Fences};
use keyring::Keys;

/// What the barrier answers.
pub type Result<T> = std::result::Result<T, Error>;

/// What the barrier is set up with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many bytes the cache of decrypted entries may hold, keys and records included. 0: no cache.
    pub cache_bytes: u64,
}

impl Default for Settings {
    /// A cache of 32 MiB.
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
        }
    }
}

/// The encrypted view over a store. Starts sealed; share it behind an `Arc`.
pub struct Barrier {
    store: Arc<dyn DynStorage>,
    settings: Settings,
    /// What sealing throws away: keys and decrypted entries. Each call loads it once.
    open: ArcSwapOption<Open>,
    /// Which keys are being written. Not part of `open`: a commit that began before a seal may end after the unseal.
    fences: Fences,
}

struct Open {
    keys: Keys,
    cache: Cache,
}

impl Barrier {
    /// A sealed view over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn DynStorage>, settings: Settings) -> Self {
        Self {
            store,
            settings,
            open: ArcSwapOption::empty(),
            fences: Fences::new(),
        }
    }

    /// Whether there are no keys in memory.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.open.load().is_none()
    }

    /// Forgets the keys and every decrypted entry. Calls that are under way end as they would have; their copies go
    /// with them. Sealing twice does nothing.
    pub fn seal(&self) {
        self.open.store(None);
    }

    fn open(&self) -> Result<Arc<Open>> {
        self.open.load_full().ok_or(Error::Sealed)
    }
}

impl std::fmt::Debug for Barrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Barrier")
            .field("sealed", &self.is_sealed())
            .finish_non_exhaustive()
    }
}
