use super::instance_view::EngineStorage;
use super::{InstanceView, MountStorage};
use crate::instance::tests::instance;
use crate::store::Store;
use linchpin_barrier::{Barrier, Settings};
use linchpin_engine::{Access, Context, Page, StorageEntry, StorageError, StorageView};
use linchpin_storage::MemoryStore;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;

async fn storage() -> Arc<MountStorage> {
    let barrier = Barrier::new(Arc::new(MemoryStore::new()), Settings::default());
    let made = barrier.initialise(SystemTime::now()).await.unwrap();
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    MountStorage::new(Store::new(Arc::new(barrier)), "logical/u/".to_owned())
}

async fn live(storage: &Arc<MountStorage>) -> Arc<InstanceView> {
    let view = InstanceView::new(storage);
    view.go_live().await;
    view
}

fn ctx() -> Context {
    Context::internal(CancellationToken::new())
}

async fn put(view: &Arc<InstanceView>, key: &str, value: &'static str) -> Result<(), StorageError> {
    let entry = StorageEntry {
        key: key.to_owned(),
        value: value.into(),
        seal_wrap: false,
    };
    EngineStorage(Arc::clone(view)).put(&ctx(), entry).await
}

async fn get(view: &Arc<InstanceView>, key: &str) -> Option<String> {
    let found = EngineStorage(Arc::clone(view))
        .get(&ctx(), key)
        .await
        .unwrap();
    found.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn nothing_is_written_during_setup() {
    let storage = storage().await;
    let view = InstanceView::new(&storage);
    assert!(matches!(
        put(&view, "a", "1").await,
        Err(StorageError::Setup)
    ));
    assert_eq!(storage.writes(), 0);
}

#[tokio::test]
async fn what_initialize_writes_is_seen_by_it_alone() {
    let storage = storage().await;
    let (old, new) = (live(&storage).await, InstanceView::new(&storage));
    put(&old, "dir/a", "old").await.unwrap();
    new.stage().await;
    put(&new, "dir/b", "new").await.unwrap();
    EngineStorage(Arc::clone(&new))
        .delete(&ctx(), "dir/a")
        .await
        .unwrap();
    assert_eq!(
        (
            get(&new, "dir/b").await.as_deref(),
            get(&new, "dir/a").await
        ),
        (Some("new"), None)
    );
    assert_eq!(
        (
            get(&old, "dir/b").await,
            get(&old, "dir/a").await.as_deref()
        ),
        (None, Some("old"))
    );
    let names = EngineStorage(Arc::clone(&new))
        .list(&ctx(), "dir/", Page::default())
        .await
        .unwrap();
    assert_eq!(names, ["b"]);
}

#[tokio::test]
async fn a_parked_write_proceeds_when_the_fence_is_lifted() {
    let storage = storage().await;
    let old = live(&storage).await;
    old.fence().await;
    let parked = put(&old, "a", "1");
    tokio::pin!(parked);
    assert!(futures_util::poll!(&mut parked).is_pending());
    assert_eq!(get(&old, "a").await, None);
    old.unfence().await;
    parked.await.unwrap();
    assert_eq!(get(&old, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_late_write_is_applied_only_to_what_its_successor_left_alone() {
    let storage = storage().await;
    let (old, new) = (live(&storage).await, live(&storage).await);
    let successor = instance(2);
    old.fence().await;
    put(&new, "taken", "new").await.unwrap();
    old.replaced_by(successor.backend()).await;
    assert!(matches!(
        put(&old, "taken", "old").await,
        Err(StorageError::Replaced)
    ));
    put(&old, "free", "old").await.unwrap();
    assert_eq!(get(&new, "taken").await.as_deref(), Some("new"));
    assert_eq!(get(&new, "free").await.as_deref(), Some("old"));
    old.close().await;
    assert!(matches!(
        put(&old, "free", "older").await,
        Err(StorageError::Replaced)
    ));
}

#[tokio::test]
async fn a_late_write_does_not_undo_what_initialize_wrote() {
    let storage = storage().await;
    let (old, new) = (live(&storage).await, InstanceView::new(&storage));
    let successor = instance(2);
    old.fence().await;
    new.stage().await;
    put(&new, "a", "new").await.unwrap();
    let overlay = new.seal_overlay().await;
    let changes = overlay
        .changes
        .into_iter()
        .map(|(key, change)| (storage.full(&key), change))
        .collect();
    storage.store.commit_changes(&[], changes).await.unwrap();
    new.go_live().await;
    old.replaced_by(successor.backend()).await;
    assert!(matches!(
        put(&old, "a", "old").await,
        Err(StorageError::Replaced)
    ));
    assert_eq!(get(&new, "a").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_transaction_commits_only_on_what_it_read() {
    let storage = storage().await;
    let view = live(&storage).await;
    let engine = EngineStorage(Arc::clone(&view));
    let mut tx = engine.begin(&ctx(), Access::ReadWrite).await.unwrap();
    assert!(tx.get("a").await.unwrap().is_none());
    tx.put(StorageEntry {
        key: "b".to_owned(),
        value: "1".into(),
        seal_wrap: false,
    })
    .await
    .unwrap();
    put(&view, "a", "changed").await.unwrap();
    assert!(matches!(tx.commit().await, Err(StorageError::Conflict)));
    assert_eq!(get(&view, "b").await, None);
}

#[tokio::test]
async fn a_fence_rolls_open_transactions_back_and_lets_reads_go_on() {
    let storage = storage().await;
    let view = live(&storage).await;
    put(&view, "a", "1").await.unwrap();
    let engine = EngineStorage(Arc::clone(&view));
    let mut writing = engine.begin(&ctx(), Access::ReadWrite).await.unwrap();
    writing
        .put(StorageEntry {
            key: "b".to_owned(),
            value: "1".into(),
            seal_wrap: false,
        })
        .await
        .unwrap();
    let mut reading = engine.begin(&ctx(), Access::ReadOnly).await.unwrap();
    view.fence().await;
    assert!(reading.get("a").await.unwrap().is_some());
    reading.commit().await.unwrap();
    assert!(matches!(
        writing.commit().await,
        Err(StorageError::Conflict)
    ));
}

#[tokio::test]
async fn no_key_leaves_the_mount() {
    let storage = storage().await;
    let view = live(&storage).await;
    assert!(matches!(
        put(&view, "../core/keyring", "x").await,
        Err(StorageError::RelativePath)
    ));
}

#[tokio::test]
async fn a_staged_transaction_counts_for_the_overlay() {
    let storage = storage().await;
    let view = InstanceView::new(&storage);
    view.stage().await;
    let engine = EngineStorage(Arc::clone(&view));
    for n in 0..4 {
        let mut tx = engine.begin(&ctx(), Access::ReadWrite).await.unwrap();
        tx.put(StorageEntry {
            key: format!("k{n}"),
            value: vec![0u8; 30 << 20].into(),
            seal_wrap: false,
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
    let overlay = view.seal_overlay().await;
    assert!(
        overlay.irreversible,
        "{} MiB in an overlay of 64",
        overlay.changes.len() * 30
    );
}

#[tokio::test]
async fn a_late_write_counts_as_a_write() {
    let storage = storage().await;
    let (old, _new) = (live(&storage).await, live(&storage).await);
    let successor = instance(2);
    old.fence().await;
    old.replaced_by(successor.backend()).await;
    let before = storage.writes();
    put(&old, "config", "old").await.unwrap();
    assert_ne!(
        storage.writes(),
        before,
        "a Setup that read `config` before is not repeated"
    );
}

#[tokio::test]
async fn a_value_of_32_mib_is_stored_and_a_larger_one_refused_where_it_is_written() {
    let storage = storage().await;
    let view = live(&storage).await;
    let engine = EngineStorage(Arc::clone(&view));
    let write = async |size: usize| {
        let entry = StorageEntry {
            key: "large".to_owned(),
            value: vec![1; size].into(),
            seal_wrap: false,
        };
        engine.put(&ctx(), entry).await
    };
    write(32 << 20).await.unwrap();
    let refused = write((32 << 20) + 1).await;
    assert!(matches!(
        refused,
        Err(StorageError::TooLarge { what: "value", .. })
    ));
    for key in ["", "folder/", "a\0b", &"k".repeat(3_000)] {
        let entry = StorageEntry {
            key: key.to_owned(),
            value: "x".into(),
            seal_wrap: false,
        };
        let refused = engine.put(&ctx(), entry).await;
        assert!(matches!(refused, Err(StorageError::Key(..))), "{key:?}");
    }
}
