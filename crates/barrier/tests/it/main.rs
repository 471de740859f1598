//! The barrier from outside: OpenBao's own records, a storage that is damaged, conflicts, failures and seals.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees that only inside the test functions themselves"
)]

mod openbao;
mod storage;
mod tampering;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use linchpin_barrier::{Barrier, Batch, Initialised, Settings};
use linchpin_storage::{Key, MemoryStore};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A new, unsealed barrier on a store that the test can look at and damage.
async fn unsealed() -> (Arc<MemoryStore>, Barrier, Initialised) {
    let store = Arc::new(MemoryStore::new());
    let barrier = Barrier::new(store.clone(), Settings::default());
    let made = barrier.initialise(now()).await.unwrap();
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    (store, barrier, made)
}

async fn put(barrier: &Barrier, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(Key::new(key), value.to_owned());
    barrier.commit(batch).await.unwrap();
}

async fn read(barrier: &Barrier, key: &str) -> Option<String> {
    let entry = barrier.get(&Key::new(key)).await.unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}
