//! Records that OpenBao 2.7.2 wrote, opened with its keys.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use linchpin_barrier::{Barrier, Error, Settings, record_term};
use linchpin_formats::{KeyringKey, Record, keys};
use linchpin_storage::{Batch, Key, MemoryStore, Storage};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/openbao-2.7.2.json")).unwrap()
}

fn base64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

async fn store_raw(store: &MemoryStore, entries: impl IntoIterator<Item = (&str, Vec<u8>)>) {
    let mut batch = Batch::new();
    for (key, value) in entries {
        batch.put(Key::new(key), value);
    }
    store.commit(batch).await.unwrap();
}

/// A store as OpenBao left it, with the records of the vectors.
async fn openbao() -> (Arc<MemoryStore>, Barrier, Value) {
    let vectors = vectors();
    let store = Arc::new(MemoryStore::new());
    let outside = [
        (keys::STORED_KEYS, base64(&vectors["stored_keys"])),
        (keys::SEAL_CONFIG, base64(&vectors["seal_config"])),
        (keys::KEYRING, base64(&vectors["keyring"])),
    ];
    store_raw(&store, outside).await;
    let entries = vectors["entries"].as_array().unwrap();
    let inside = entries
        .iter()
        .map(|entry| (entry["key"].as_str().unwrap(), base64(&entry["value"])));
    store_raw(&store, inside).await;
    let barrier = Barrier::new(store.clone(), Settings::default());
    (store, barrier, vectors)
}

#[tokio::test]
async fn every_record_decrypts_under_its_term() {
    let (_store, barrier, vectors) = openbao().await;
    barrier
        .unseal(&hex(&vectors["unseal_key_hex"]))
        .await
        .unwrap();
    let entries = vectors["entries"].as_array().unwrap();
    let mut terms = std::collections::BTreeSet::new();
    for entry in entries {
        let key = Key::new(entry["key"].as_str().unwrap());
        let read = barrier.get(&key).await.unwrap().unwrap();
        assert_eq!(read.value, base64(&entry["plaintext"]), "{key}");
        let term = record_term(&base64(&entry["value"])).unwrap();
        assert_eq!(u64::from(term), entry["term"].as_u64().unwrap(), "{key}");
        terms.insert(term);
    }
    assert!(entries.len() > 20);
    assert_eq!(terms.into_iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(barrier.active_term(), Some(2));
}

#[tokio::test]
async fn a_right_root_key_copy_is_left_alone_and_a_stale_one_repaired() {
    let (store, barrier, vectors) = openbao().await;
    let unseal_key = hex(&vectors["unseal_key_hex"]);
    let copy = Key::new(keys::ROOT_KEY_COPY_OPENBAO);
    let before = store.get(&copy).await.unwrap();
    barrier.unseal(&unseal_key).await.unwrap();
    assert_eq!(store.get(&copy).await.unwrap(), before);
    let vault = Key::new(keys::ROOT_KEY_COPY);
    assert_eq!(store.get(&vault).await.unwrap(), None, "none is added");

    // Stale in both ways: not a copy of the root key, and not even a record.
    let mut stale = KeyringKey::decode(&barrier.get(&copy).await.unwrap().unwrap().value).unwrap();
    stale.value[0] ^= 1;
    let mut batch = linchpin_barrier::Batch::new();
    batch.put(copy.clone(), stale.encode());
    barrier.commit(batch).await.unwrap();
    store_raw(&store, [(keys::ROOT_KEY_COPY, b"damaged".to_vec())]).await;
    barrier.seal();
    barrier.unseal(&unseal_key).await.unwrap();
    for key in [copy, vault] {
        let entry = barrier.get(&key).await.unwrap().unwrap();
        let read = KeyringKey::decode(&entry.value).unwrap();
        assert_eq!(read.value.to_vec(), hex(&vectors["root_key_hex"]), "{key}");
        assert!(read.install_time.is_zero());
    }
}

#[tokio::test]
async fn with_one_share_the_share_is_the_unseal_key() {
    let one = &vectors()["one_share"];
    let store = Arc::new(MemoryStore::new());
    let entries = [
        (keys::STORED_KEYS, base64(&one["stored_keys"])),
        (keys::KEYRING, base64(&one["keyring"])),
    ];
    store_raw(&store, entries).await;
    let barrier = Barrier::new(store, Settings::default());
    barrier.unseal(&hex(&one["unseal_key_hex"])).await.unwrap();
    assert!(!barrier.is_sealed());
}

#[tokio::test]
async fn a_wrong_unseal_key_leaves_it_sealed() {
    let (_store, barrier, vectors) = openbao().await;
    let right = hex(&vectors["unseal_key_hex"]);
    let mut wrong = right.clone();
    wrong[0] ^= 1;
    for key in [&wrong[..], &right[..31], &right[..16], b""] {
        let error = barrier.unseal(key).await.unwrap_err();
        assert!(matches!(error, Error::WrongUnsealKey), "{error:?}");
        assert!(barrier.is_sealed());
    }
}

#[tokio::test]
async fn a_keyring_of_another_storage_is_not_accepted() {
    let (store, barrier, vectors) = openbao().await;
    let other = base64(&vectors["one_share"]["keyring"]);
    store_raw(&store, [(keys::KEYRING, other)]).await;
    let error = barrier
        .unseal(&hex(&vectors["unseal_key_hex"]))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "entry core/keyring does not authenticate under key term 1"
    );
    assert!(barrier.is_sealed());
}
