//! Initialising, batches with preconditions, what the cache serves, and stores that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use linchpin_barrier::{Barrier, Batch, Error, Settings};
use linchpin_formats::{ClusterInfo, Record, keys};
use linchpin_model::ErrorKind;
use linchpin_storage::failing::{FailingStore, Fault};
use linchpin_storage::{Key, MemoryStore, Page, Prefix, Storage};
use proptest::prelude::*;

use crate::{now, put, read, unsealed};

#[tokio::test]
async fn a_new_storage_holds_the_keys_of_the_format() {
    let (_store, barrier, made) = unsealed().await;
    let keys: Vec<String> = barrier
        .physical_keys()
        .await
        .unwrap()
        .iter()
        .map(|key| key.as_str().to_owned())
        .collect();
    assert_eq!(
        keys,
        [
            "core/cluster/local/info",
            "core/hsm/barrier-unseal-keys",
            "core/keyring",
            "core/linchpin/flavour",
            "core/master",
            "core/seal-config",
            "core/shamir-kek",
        ]
    );
    let entry = barrier.get(&Key::new(keys::CLUSTER_INFO)).await.unwrap();
    let cluster = ClusterInfo::decode(&entry.unwrap().value).unwrap();
    assert_eq!(cluster, made.cluster);
    assert!(cluster.name.starts_with("vault-cluster-") && cluster.name.len() == 22);
    assert_eq!(
        read(&barrier, keys::FLAVOUR).await.as_deref(),
        Some("neutral")
    );
    let kek = barrier.get(&Key::new(keys::SHAMIR_KEK)).await.unwrap();
    assert_eq!(&kek.unwrap().value, made.unseal_key.expose());
    let config = barrier.seal_config().await.unwrap();
    assert!(config.is_valid() && config.is_shamir());
    assert_eq!((config.secret_shares, config.stored_shares), (1, 1));
}

#[tokio::test]
async fn a_storage_is_initialised_once() {
    let (store, barrier, made) = unsealed().await;
    assert!(barrier.is_initialised().await.unwrap());
    let second = Barrier::new(store, Settings::default());
    let error = second.initialise(now()).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyInitialised));
    second.unseal(made.unseal_key.expose()).await.unwrap();
}

#[tokio::test]
async fn an_empty_store_cannot_be_unsealed() {
    let barrier = Barrier::new(Arc::new(MemoryStore::new()), Settings::default());
    assert!(!barrier.is_initialised().await.unwrap());
    let error = barrier.unseal(&[0; 32]).await.unwrap_err();
    assert!(matches!(error, Error::NotInitialised));
    let error = barrier.seal_config().await.unwrap_err();
    assert!(matches!(error, Error::NotInitialised));
}

#[tokio::test]
async fn an_initialisation_that_fails_leaves_an_empty_store() {
    let store = Arc::new(FailingStore::new(MemoryStore::new()));
    store.fail_commit(1, Fault::Refused);
    let barrier = Barrier::new(store.clone(), Settings::default());
    assert!(barrier.initialise(now()).await.is_err());
    assert!(barrier.physical_keys().await.unwrap().is_empty());
    barrier.initialise(now()).await.unwrap();
}

#[tokio::test]
async fn listings_show_children_and_pages() {
    let (_store, barrier, _) = unsealed().await;
    for key in ["logical/u/a", "logical/u/b/c", "logical/u/d"] {
        put(&barrier, key, "v").await;
    }
    let prefix = Prefix::new("logical/u/");
    let all = barrier.list(&prefix, Page::all()).await.unwrap();
    assert_eq!(all.names, ["a", "b/", "d"]);
    let page = barrier.list(&prefix, Page::new("a", 1)).await.unwrap();
    assert_eq!(page.names, ["b/"]);
}

#[tokio::test]
async fn a_batch_with_preconditions_is_written_only_if_they_hold() {
    let (_store, barrier, _) = unsealed().await;
    let key = Key::new("logical/u/a");
    put(&barrier, "logical/u/a", "1").await;
    let seen = barrier.get(&key).await.unwrap().unwrap().version;

    let write = |value: &'static str| {
        let mut batch = Batch::new();
        batch.put(key.clone(), value);
        batch
    };
    let mut batch = write("2");
    batch.if_unchanged(key.clone(), &seen);
    let first = barrier.commit(batch.clone()).await.unwrap();
    let error = barrier.commit(batch).await.unwrap_err();
    assert!(matches!(&error, Error::Conflict { key } if key.as_str() == "logical/u/a"));
    assert!(error.wrote_nothing());
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    // The same plaintext written again is another version.
    let now = barrier.get(&key).await.unwrap().unwrap().version;
    assert_ne!(now, seen);
    assert!(barrier.commit(write("2")).await.unwrap() > first);
    let mut batch = write("3");
    batch.if_as_read(key.clone(), Some(&now));
    assert!(barrier.commit(batch).await.is_err());
    assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("2"));

    let mut batch = write("4");
    batch.if_as_read(key.clone(), None);
    assert!(barrier.commit(batch).await.is_err());
    let mut batch = Batch::new();
    batch.delete(key.clone());
    barrier.commit(batch).await.unwrap();
    assert_eq!(read(&barrier, "logical/u/a").await, None);
    let mut batch = write("5");
    batch.if_absent(key.clone());
    barrier.commit(batch).await.unwrap();
    assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("5"));
}

#[tokio::test]
async fn a_cached_read_does_not_ask_the_store_and_a_commit_is_seen_at_once() {
    let (store, barrier, _) = unsealed().await;
    put(&barrier, "logical/u/a", "1").await;
    assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("1"));
    // Behind the barrier's back: whoever still sees the old value was served from the cache.
    let mut batch = linchpin_storage::Batch::new();
    batch.delete(Key::new("logical/u/a"));
    store.commit(batch).await.unwrap();
    assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("1"));
    put(&barrier, "logical/u/a", "2").await;
    assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn without_a_cache_every_read_asks_the_store() {
    let store = Arc::new(MemoryStore::new());
    let barrier = Barrier::new(store.clone(), Settings { cache_bytes: 0 });
    let made = barrier.initialise(now()).await.unwrap();
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    put(&barrier, "logical/u/a", "1").await;
    let mut batch = linchpin_storage::Batch::new();
    batch.delete(Key::new("logical/u/a"));
    store.commit(batch).await.unwrap();
    assert_eq!(read(&barrier, "logical/u/a").await, None);
}

#[tokio::test]
async fn after_a_commit_of_unknown_outcome_reads_tell_the_truth() {
    let check = async |fault, expected: &str| {
        let store = Arc::new(FailingStore::new(MemoryStore::new()));
        let barrier = Barrier::new(store.clone(), Settings::default());
        let made = barrier.initialise(now()).await.unwrap();
        barrier.unseal(made.unseal_key.expose()).await.unwrap();
        put(&barrier, "logical/u/a", "old").await;
        store.fail_commit(1, fault);
        let mut batch = Batch::new();
        batch.put(Key::new("logical/u/a"), "new");
        let error = barrier.commit(batch).await.unwrap_err();
        assert!(!error.wrote_nothing() && error.kind() == ErrorKind::Internal);
        assert_eq!(error.to_string(), "write a batch");
        let found = read(&barrier, "logical/u/a").await;
        assert_eq!(found.as_deref(), Some(expected), "{fault:?}");
        put(&barrier, "logical/u/a", "next").await;
        assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("next"));
    };
    check(Fault::Refused, "old").await;
    check(Fault::AnswerLost, "new").await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_by_kind_and_reads_as_absent() {
    let (_store, barrier, _) = unsealed().await;
    let check = async |key: &str, value: Vec<u8>, kind| {
        let mut batch = Batch::new();
        batch.put(Key::new(key), value);
        let error = barrier.commit(batch).await.unwrap_err();
        assert!(error.wrote_nothing());
        assert_eq!(error.kind(), kind);
        assert_eq!(read(&barrier, key).await, None);
    };
    check("logical/u/\u{7}", vec![1], ErrorKind::InvalidRequest).await;
    check(&"k".repeat(2_601), vec![1], ErrorKind::InvalidRequest).await;
    check(
        "logical/u/a",
        vec![0; (32 << 20) + 1025],
        ErrorKind::TooLarge,
    )
    .await;
}

#[tokio::test]
async fn encryptions_are_counted() {
    let (_store, barrier, _) = unsealed().await;
    let before = barrier.encryptions().unwrap();
    put(&barrier, "logical/u/a", "1").await;
    assert_eq!(barrier.encryptions(), Some(before + 1));
}

#[test]
fn debug_shows_no_value() {
    let mut batch = Batch::new();
    batch.put(Key::new("logical/u/a"), "hunter2");
    let shown = format!("{batch:?}");
    assert!(shown.contains("logical/u/a") && !shown.contains("hunter2"));
}

/// Writers and readers on few keys, in parallel and with a cache small enough to evict: a reader never sees a value
/// older than one that it has seen before, nor one older than a commit that had returned before it asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_go_back_in_time() {
    const KEYS: usize = 4;
    const WRITES: u64 = 400;
    let store = Arc::new(MemoryStore::new());
    let barrier = Barrier::new(store, Settings { cache_bytes: 2_000 });
    let made = barrier.initialise(now()).await.unwrap();
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    let barrier = Arc::new(barrier);
    let key = |n: usize| Key::new(format!("logical/u/{n}"));
    let acknowledged: Arc<[AtomicU64; KEYS]> = Arc::default();

    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..KEYS {
        let (writer, last) = (barrier.clone(), acknowledged.clone());
        tasks.spawn(async move {
            for value in 1..=WRITES {
                let mut batch = Batch::new();
                batch.put(key(n), value.to_string());
                writer.commit(batch).await.unwrap();
                last[n].store(value, SeqCst);
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..2 {
            let (reader, last) = (barrier.clone(), acknowledged.clone());
            tasks.spawn(async move {
                let mut seen = 0;
                while seen < WRITES {
                    let least = last[n].load(SeqCst);
                    let found = reader.get(&key(n)).await.unwrap();
                    let found = found.map_or(0, |entry| {
                        std::str::from_utf8(&entry.value).unwrap().parse().unwrap()
                    });
                    assert!(found >= least && found >= seen, "{found} {least} {seen}");
                    seen = found;
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

proptest! {
    /// Any sequence of batches leaves the barrier, cached or not, equal to a plain map.
    #[test]
    fn the_barrier_is_a_map(
        batches in proptest::collection::vec(
            proptest::collection::vec((0_u8..4, any::<Option<u8>>()), 0..4),
            0..12,
        ),
        cache_bytes in prop_oneof![Just(0_u64), Just(1_500), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let barrier = Barrier::new(Arc::new(MemoryStore::new()), Settings { cache_bytes });
            let made = barrier.initialise(now()).await.unwrap();
            barrier.unseal(made.unseal_key.expose()).await.unwrap();
            let mut model = std::collections::BTreeMap::new();
            for writes in batches {
                let mut batch = Batch::new();
                for (key, value) in writes {
                    let at = Key::new(format!("logical/u/{key}"));
                    match value {
                        Some(value) => {
                            batch.put(at, vec![value]);
                            model.insert(key, value);
                        }
                        None => {
                            batch.delete(at);
                            model.remove(&key);
                        }
                    }
                }
                barrier.commit(batch).await.unwrap();
                for key in 0..4 {
                    let found = barrier.get(&Key::new(format!("logical/u/{key}"))).await.unwrap();
                    prop_assert_eq!(found.map(|entry| entry.value[0]), model.get(&key).copied());
                }
            }
            Ok(())
        })?;
    }
}
