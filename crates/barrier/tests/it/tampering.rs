//! The store is not trusted: whatever it changes, moves or invents is an error that names the entry.

use linchpin_barrier::Error;
use linchpin_storage::{Batch, Key, Page, Prefix, Snapshot, Storage};

use crate::{put, read, unsealed};

#[tokio::test]
async fn every_changed_byte_is_noticed() {
    let (store, barrier, made) = unsealed().await;
    put(&barrier, "logical/u/a", "plaintext").await;
    let key = Key::new("logical/u/a");
    let record = store.get(&key).await.unwrap().unwrap();
    for at in 0..record.len() {
        let mut damaged = record.to_vec();
        damaged[at] ^= 1;
        let mut batch = Batch::new();
        batch.put(key.clone(), damaged);
        store.commit(batch).await.unwrap();
        // The store was changed behind the barrier's back, so what it has cached must go.
        barrier.seal();
        barrier.unseal(made.unseal_key.expose()).await.unwrap();
        let error = barrier.get(&key).await.unwrap_err();
        assert!(error.to_string().contains("logical/u/a"), "{at}: {error}");
        let named = matches!(
            error,
            Error::Tampered { .. } | Error::UnknownTerm { .. } | Error::NotARecord { .. }
        );
        assert!(named, "{at}: {error:?}");
    }
}

#[tokio::test]
async fn two_swapped_records_are_noticed() {
    let (store, barrier, made) = unsealed().await;
    put(&barrier, "logical/u/a", "one").await;
    put(&barrier, "logical/u/b", "two").await;
    let (a, b) = (Key::new("logical/u/a"), Key::new("logical/u/b"));
    let of_a = store.get(&a).await.unwrap().unwrap();
    let of_b = store.get(&b).await.unwrap().unwrap();
    let mut batch = Batch::new();
    batch.put(a.clone(), of_b).put(b.clone(), of_a);
    store.commit(batch).await.unwrap();
    barrier.seal();
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    for key in [a, b] {
        let error = barrier.get(&key).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("entry {key} does not authenticate under key term 1")
        );
    }
}

#[tokio::test]
async fn the_store_never_sees_a_plaintext_or_a_key() {
    let (store, barrier, made) = unsealed().await;
    put(&barrier, "logical/u/a", "canary-of-the-value").await;
    let dump = store.dump().await.unwrap();
    let stored = |needle: &[u8]| {
        dump.iter()
            .any(|(_, value)| value.windows(needle.len()).any(|window| window == needle))
    };
    assert!(!stored(b"canary"));
    assert!(!stored(made.unseal_key.expose()));
    assert!(stored(b"secret_shares"), "the search itself works");
}

#[tokio::test]
async fn the_same_plaintext_is_never_stored_as_the_same_bytes() {
    let (store, barrier, _) = unsealed().await;
    let key = Key::new("logical/u/a");
    put(&barrier, "logical/u/a", "same").await;
    let first = store.get(&key).await.unwrap();
    put(&barrier, "logical/u/a", "same").await;
    assert_ne!(store.get(&key).await.unwrap(), first);
}

#[tokio::test]
async fn what_lies_outside_the_barrier_cannot_be_touched_through_it() {
    let (store, barrier, _) = unsealed().await;
    let before = store.dump().await.unwrap();
    for text in [
        "core/keyring",
        "core/seal-config",
        "core/hsm/barrier-unseal-keys",
    ] {
        let key = Key::new(text);
        let mut put = linchpin_barrier::Batch::new();
        put.put(Key::new("logical/u/beside"), "v")
            .put(key.clone(), "v");
        let mut delete = linchpin_barrier::Batch::new();
        delete.delete(key.clone());
        let errors = [
            barrier.commit(put).await.unwrap_err(),
            barrier.commit(delete).await.unwrap_err(),
            barrier.get(&key).await.unwrap_err(),
        ];
        assert!(
            errors
                .iter()
                .all(|e| matches!(e, Error::OutsideBarrier { .. }))
        );
    }
    assert_eq!(store.dump().await.unwrap(), before);
}

#[tokio::test]
async fn a_sealed_barrier_does_nothing() {
    let (store, barrier, made) = unsealed().await;
    put(&barrier, "logical/u/a", "v").await;
    let before = store.dump().await.unwrap();
    barrier.seal();
    barrier.seal();
    assert!(barrier.is_sealed() && barrier.active_term().is_none());
    let key = Key::new("logical/u/a");
    let mut batch = linchpin_barrier::Batch::new();
    batch.put(key.clone(), "w");
    let errors = [
        barrier.get(&key).await.unwrap_err(),
        barrier.commit(batch).await.unwrap_err(),
        barrier
            .list(&Prefix::root(), Page::all())
            .await
            .unwrap_err(),
    ];
    assert!(errors.iter().all(|error| matches!(error, Error::Sealed)));
    assert_eq!(store.dump().await.unwrap(), before);
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    assert_eq!(read(&barrier, "logical/u/a").await.as_deref(), Some("v"));
}
