//! The ordered, durable map that everything is stored in (storage-format §1.1, design §6), and the stores behind it.
//!
//! A store is not trusted: it only ever sees ciphertext, and the barrier above notices every changed or moved record.
//! What it must do is keep the contract of [`Storage`]; each store runs `conformance` (feature `fault-injection`).
//!
//! ```
//! # use linchpin_storage::{Batch, Key, MemoryStore, Page, Prefix, Storage};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), linchpin_storage::Error> {
//! let store = MemoryStore::new();
//! let mut batch = Batch::new();
//! batch.if_absent(Key::new("core/a")).put(Key::new("core/a"), "sealed bytes");
//! store.commit(batch).await?;
//! let listing = store.list(&Prefix::new("core/"), Page::all()).await?;
//! assert_eq!(listing.names, ["a"]);
//! # Ok(()) }
//! ```

mod batch;
mod dynamic;
mod error;
mod key;
mod listing;
mod memory;

#[cfg(feature = "fault-injection")]
pub mod conformance;
#[cfg(feature = "fault-injection")]
pub mod failing;

use std::future::Future;

use bytes::Bytes;

pub use batch::{Batch, ChangeIndex, Precondition, Write};
pub use dynamic::{BoxFuture, DynStorage};
pub use error::{Error, KeyFault};
pub use key::{Key, MAX_KEY_LENGTH, Prefix};
pub use listing::{Listing, Page};
pub use memory::MemoryStore;

/// The longest value in bytes: 32 MiB (design §3), and room for what the barrier puts around them, so that whoever
/// writes through it has the whole 32 MiB.
pub const MAX_VALUE_LENGTH: usize = (32 << 20) + 1024;

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// An untrusted, ordered, durable map from keys to bytes. It only ever sees ciphertext.
///
/// Every method may be called concurrently. Reads see each batch whole or not at all, and a read that begins after a
/// commit returned sees that commit or a later state.
pub trait Storage: Send + Sync + 'static {
    /// The bytes stored under `key`; `None` when there are none. A key that could not be written is simply absent.
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Bytes>>> + Send;

    /// The immediate children of `prefix`, sorted bytewise. For a key `prefix` + `x` the name is `x`; for all keys
    /// below `prefix` + `x/` it is `x/`, once; both appear if both exist. A key equal to `prefix` is not listed. An
    /// unknown prefix has no children.
    fn list(&self, prefix: &Prefix, page: Page) -> impl Future<Output = Result<Listing>> + Send;

    /// All of `batch` or none of it, durable when this returns, if each precondition holds: a key's stored bytes
    /// *equal* these, or it is absent. (Each write has a fresh nonce: equal bytes mean unchanged, on every store.)
    /// The index grows with every commit in the order in which they took effect.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a precondition does not hold, [`Error::KeyRefused`] and [`Error::ValueTooLarge`] for
    /// what cannot be stored: nothing was written. After any other error the batch may have been written or not.
    ///
    /// # Cancel safety
    /// A commit whose future was dropped may still happen, later, whole.
    fn commit(&self, batch: Batch) -> impl Future<Output = Result<ChangeIndex>> + Send;
}

/// A store that can show everything it holds at one moment: for tests, inspection and backups.
pub trait Snapshot: Storage {
    /// Every key with its stored bytes, in ascending order of the keys.
    fn dump(&self) -> impl Future<Output = Result<Vec<(Key, Bytes)>>> + Send;
}
