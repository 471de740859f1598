//! Calls from the plugin back to the host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use linchpin_engine::{Access, Cancelled, Error as EngineError, Page, StorageEntry};
use linchpin_goplugin::guest::HostError;
use linchpin_model::{JsonObject, Operation, Response};

use crate::pair::{Pair, request};
use crate::store::{STUCK, Store};

fn entry(key: &str, value: &str) -> StorageEntry {
    StorageEntry {
        key: key.to_owned(),
        value: value.to_owned().into(),
        seal_wrap: true,
    }
}

#[tokio::test]
async fn storage_is_read_written_listed_and_deleted() {
    let pair = Pair::new(|engine, ctx, _| async move {
        let storage = &engine.storage;
        for key in ["a", "b/c", "b/d", "e"] {
            storage.put(&ctx, entry(key, key)).await?;
        }
        let found = storage.get(&ctx, "b/c").await?;
        assert_eq!(found, Some(entry("b/c", "b/c")));
        assert_eq!(storage.get(&ctx, "none").await?, None);
        assert_eq!(
            storage.list(&ctx, "", Page::default()).await?,
            ["a", "b/", "e"]
        );
        let page = Page {
            after: "a".to_owned(),
            limit: 1,
        };
        assert_eq!(storage.list(&ctx, "", page).await?, ["b/"]);
        storage.delete(&ctx, "a").await?;
        Ok(None)
    })
    .await;
    let store = Arc::new(Store::default());
    let instance = pair.mount(&store).await;
    let done = instance
        .handle_request(None, &request(Operation::Read, "x"))
        .await;
    assert!(done.unwrap().is_none());
    let keys: Vec<String> = store.entries.lock().keys().cloned().collect();
    assert_eq!(keys, ["b/c", "b/d", "e"]);
    assert!(!instance.asks_transactional());
}

/// What our host answers: it has neither entities nor subscribers, and wraps nothing for plugins.
#[tokio::test]
async fn each_call_to_the_host_gives_what_it_says_or_why_not() {
    let pair = Pair::new(|engine, ctx, _| async move {
        let (host, fields) = (&engine.host, BTreeMap::new());
        let failed = |text: &str| HostError::Failed(text.to_owned());
        let ttls = (Duration::from_secs(11), Duration::from_secs(22));
        assert_eq!(host.lease_ttls(&ctx).await, Ok(ttls));
        assert_eq!(host.environment(&ctx).await.unwrap().version, "1.2.3");
        assert_eq!(host.entity(&ctx, "e").await, Ok(None));
        assert_eq!(host.groups(&ctx, "e").await, Ok(Vec::new()));
        assert_eq!(
            host.generate_password(&ctx, "p").await.unwrap(),
            "password by p"
        );
        assert_eq!(
            host.generate_password(&ctx, "").await,
            Err(failed("no password policy specified"))
        );
        let data = JsonObject::empty();
        let refused = "response wrapping is not available to plugins on this server";
        let wrapped = host.wrap(&ctx, &data, Duration::from_secs(1)).await;
        assert_eq!(wrapped, Err(failed(refused)));
        let token = host.identity_token(&ctx, "a", Duration::from_secs(1)).await;
        assert_eq!(token, Err(HostError::Unsupported));
        assert_eq!(host.send_event(&ctx, "t", &fields).await, Ok(()));
        assert_eq!(host.record_observation(&ctx, "t", &fields).await, Ok(()));
        let gone = ctx.child();
        gone.cancel.cancel();
        let cancelled = Err(HostError::Cancelled(Cancelled));
        assert_eq!(host.groups(&gone, "e").await, cancelled);
        Ok(None)
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    let asked = request(Operation::Read, "x");
    let done = instance.handle_request(None, &asked).await;
    assert!(done.unwrap().is_none());
}

#[tokio::test]
async fn a_storage_refusal_keeps_its_text() {
    let pair = Pair::new(|engine, ctx, _| async move {
        let refused = engine.storage.put(&ctx, entry("a", "b")).await.unwrap_err();
        Ok(Some(Response::warning(refused.to_string())))
    })
    .await;
    let store = Arc::new(Store::default());
    store.in_setup.store(true, Ordering::Relaxed);
    let instance = pair.mount(&store).await;
    let answer = instance
        .handle_request(None, &request(Operation::Read, "x"))
        .await;
    let warnings = answer.unwrap().unwrap().warnings;
    assert_eq!(warnings, ["cannot write to storage during setup"]);
}

#[tokio::test]
async fn h33_a_transaction_is_all_or_nothing() {
    let pair = Pair::new(|engine, ctx, request| async move {
        let mut tx = engine.storage.begin(&ctx, Access::ReadWrite).await?;
        tx.put(entry("one", "1")).await?;
        tx.put(entry("two", "2")).await?;
        assert!(tx.get("one").await?.is_some());
        assert!(
            engine.storage.get(&ctx, "one").await?.is_none(),
            "not before the commit"
        );
        assert_eq!(tx.list("", Page::default()).await?, ["one", "two"]);
        if request.path == "commit" {
            tx.commit().await?;
        }
        Ok(None)
    })
    .await;
    let store = Arc::new(Store::default());
    let instance = pair.mount(&store).await;
    for (path, entries) in [("drop", 0), ("commit", 2)] {
        let done = instance
            .handle_request(None, &request(Operation::Read, path))
            .await;
        assert!(done.unwrap().is_none());
        assert_eq!(store.entries.lock().len(), entries, "{path}");
    }
    assert!(instance.asks_transactional());
}

#[tokio::test]
async fn h34_what_a_plugin_leaves_open_is_rolled_back() {
    let pair = Pair::new(|engine, ctx, _| async move {
        let mut tx = engine.storage.begin(&ctx, Access::ReadWrite).await?;
        tx.put(entry("one", "1")).await?;
        std::mem::forget(tx);
        Ok(None)
    })
    .await;
    let store = Arc::new(Store::default());
    let instance = pair.mount(&store).await;
    instance
        .handle_request(None, &request(Operation::Read, "x"))
        .await
        .unwrap();
    assert_eq!(instance.roll_back_transactions(), 1);
    assert_eq!(instance.roll_back_transactions(), 0);
    assert!(store.entries.lock().is_empty());
}

#[tokio::test]
async fn a_transaction_that_the_host_has_ended_does_not_commit() {
    let (begun, ended) = (
        Arc::new(tokio::sync::Notify::new()),
        Arc::new(tokio::sync::Notify::new()),
    );
    let (begin, end) = (Arc::clone(&begun), Arc::clone(&ended));
    let pair = Pair::new(move |engine, ctx, _| {
        let (begin, end) = (Arc::clone(&begin), Arc::clone(&end));
        async move {
            let mut tx = engine.storage.begin(&ctx, Access::ReadWrite).await?;
            tx.put(entry("one", "1")).await?;
            begin.notify_one();
            end.notified().await;
            tx.commit().await.map_err(EngineError::from)?;
            Ok(None)
        }
    })
    .await;
    let store = Arc::new(Store::default());
    let instance = pair.mount(&store).await;
    let asked = request(Operation::Read, "x");
    let (outcome, ()) = tokio::join!(instance.handle_request(None, &asked), async {
        begun.notified().await;
        instance.roll_back_transactions();
        ended.notify_one();
    });
    let error = outcome.unwrap_err().to_string();
    assert!(
        error.contains("already committed or rolled back"),
        "{error}"
    );
    assert!(store.entries.lock().is_empty());
}

#[tokio::test]
async fn the_system_view_arrives() {
    let pair = Pair::new(|engine, ctx, _| async move {
        let system = &engine.system;
        assert_eq!(
            engine.config.get("plugin_name").map(String::as_str),
            Some("test")
        );
        assert_eq!(system.default_lease_ttl().as_secs(), 11);
        assert_eq!(system.max_lease_ttl().as_secs(), 22);
        assert!(system.tainted() && system.local_mount() && !system.caching_disabled());
        assert_eq!(system.replication_state().0, 12288);
        assert_eq!(system.plugin_environment().version, "1.2.3");
        assert_eq!(system.cluster_info().id, "cluster");
        assert_eq!(system.cluster_info().name, "");
        let password = system.generate_password(&ctx, "p").await?;
        let refused = system.generate_password(&ctx, "").await.unwrap_err();
        Ok(Some(
            Response::warning(password).with_warning(refused.to_string()),
        ))
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    let answer = instance
        .handle_request(None, &request(Operation::Read, "x"))
        .await;
    let warnings = answer.unwrap().unwrap().warnings;
    assert_eq!(warnings, ["password by p", "no password policy specified"]);
}

/// A parked write of a fenced instance is such a call.
#[tokio::test]
async fn a_callback_that_hangs_ends_with_its_instance_and_holds_nothing_up() {
    let pair = Pair::new(|engine, ctx, _| async move {
        engine.storage.get(&ctx, STUCK).await?;
        Ok(None)
    })
    .await;
    let store = Arc::new(Store::default());
    let instance = pair.mount(&store).await;
    let asked = request(Operation::Read, "x");
    let (outcome, cleaned) = tokio::join!(instance.handle_request(None, &asked), async {
        store.reached.cancelled().await;
        instance.cleanup().await
    });
    cleaned.unwrap();
    assert!(outcome.is_err());
    store.released.cancelled().await;
    // Waits for every task of the connection.
    pair.host.shutdown(std::time::Duration::from_secs(1)).await;
}

/// The limit of the storage is 32 MiB a value; what is larger than that and its key never becomes a message.
#[tokio::test]
async fn h35_a_value_of_the_limit_is_stored_and_a_larger_one_refused_on_a_connection_that_goes_on()
{
    let pair = Pair::new(|engine, ctx, request| async move {
        let (storage, key) = (&engine.storage, "k".repeat(2_600));
        let size = |mebibytes: usize| StorageEntry {
            key: key.clone(),
            value: vec![b'v'; mebibytes << 20].into(),
            seal_wrap: false,
        };
        if request.path == "limit" {
            storage.put(&ctx, size(32)).await?;
            let found = storage.get(&ctx, &key).await?;
            assert_eq!(found, Some(size(32)));
            return Ok(None);
        }
        let refused = storage.put(&ctx, size(34)).await.unwrap_err();
        storage.put(&ctx, entry("after", "it")).await?;
        Ok(Some(Response::warning(refused.to_string())))
    })
    .await;
    let store = Arc::new(Store::default());
    let instance = pair.mount(&store).await;
    let asked = request(Operation::Read, "limit");
    assert!(
        instance
            .handle_request(None, &asked)
            .await
            .unwrap()
            .is_none()
    );
    store.entries.lock().clear();
    // More than the window of the connection holds, if what is refused were never given back.
    for _ in 0..5 {
        let asked = request(Operation::Read, "larger");
        let answer = instance
            .handle_request(None, &asked)
            .await
            .unwrap()
            .unwrap();
        let text = answer.warnings.concat();
        assert!(text.contains("length too large"), "{text}");
        assert!(text.contains("the limit is: 34603008 bytes"), "{text}");
    }
    let keys: Vec<String> = store.entries.lock().keys().cloned().collect();
    assert_eq!(keys, ["after"]);
}
