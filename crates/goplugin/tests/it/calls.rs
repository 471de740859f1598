//! Calls from the host to the plugin.

use std::sync::Arc;
use std::time::Duration;

use linchpin_engine::Error as EngineError;
use linchpin_goplugin::host::Error;
use linchpin_model::{ErrorKind, JsonObject, Operation, PluginType, Response};
use tokio::sync::Notify;

use crate::pair::{Pair, request, setup};
use crate::store::Store;

async fn echo_pair() -> Pair {
    Pair::new(|_, _, request| async move { Ok(request.data.map(Response::data)) }).await
}

#[tokio::test]
async fn an_instance_says_what_it_is() {
    let pair = echo_pair().await;
    assert!(pair.host.multiplexing_supported().await.unwrap());
    pair.host.health().await.unwrap();
    let instance = pair.mount(&Arc::default()).await;
    assert_eq!(
        instance.plugin_type().await.unwrap(),
        Some(PluginType::Secret)
    );
    assert_eq!(instance.version().await.unwrap(), "v1.2.3");
    assert_eq!(instance.special_paths().await.unwrap().root, ["config"]);
    instance.initialize(None).await.unwrap();
    instance.invalidate_key(None, "x").await.unwrap();
    assert!(pair.host.calls_answered() >= 6);
}

#[tokio::test]
async fn h25_data_keeps_every_digit_and_twenty_mebibytes_pass() {
    let pair = echo_pair().await;
    let instance = pair.mount(&Arc::default()).await;
    let mut asked = request(Operation::Update, "x");
    let big = format!(
        r#"{{"n":12345678901234567890123,"s":"{}"}}"#,
        "x".repeat(20 << 20)
    );
    asked.data = Some(JsonObject::from_text(big).unwrap());
    let answer = instance
        .handle_request(None, &asked)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.data, asked.data);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_an_error_of_its_call_alone() {
    let pair = Pair::new(|_, _, request| async move {
        let length = if request.path == "large" { 65 << 20 } else { 1 };
        Ok(Some(Response::warning("x".repeat(length))))
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    for _ in 0..3 {
        let asked = request(Operation::Read, "large");
        let error = instance.handle_request(None, &asked).await.unwrap_err();
        assert!(!error.is_connection_loss(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("length too large"), "{text}");
        assert!(text.contains("the limit is: 67108864 bytes"), "{text}");
        let small = request(Operation::Read, "small");
        let answer = instance
            .handle_request(None, &small)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.warnings, ["x"]);
    }
}

#[tokio::test]
async fn two_instances_of_one_process_do_not_see_each_others_data() {
    let pair = Pair::new(|engine, ctx, request| async move {
        let found = engine.storage.get(&ctx, &request.path).await?;
        Ok(found.map(|entry| Response::warning(String::from_utf8_lossy(&entry.value))))
    })
    .await;
    let (a, b) = (Arc::new(Store::default()), Arc::new(Store::default()));
    for (store, value) in [(&a, "of a"), (&b, "of b")] {
        let entry = linchpin_engine::StorageEntry {
            key: "same".to_owned(),
            value: value.into(),
            seal_wrap: false,
        };
        store.entries.lock().insert("same".to_owned(), entry);
    }
    let (one, two) = (pair.mount(&a).await, pair.mount(&b).await);
    assert_ne!(one.id(), two.id());
    for (instance, value) in [(&one, "of a"), (&two, "of b")] {
        let answer = instance
            .handle_request(None, &request(Operation::Read, "same"))
            .await;
        assert_eq!(answer.unwrap().unwrap().warnings, [value]);
    }
}

#[tokio::test]
async fn a_refused_setup_says_why_and_leaves_no_socket() {
    let pair = echo_pair().await;
    let mut refused = setup(&Arc::default());
    refused.config.insert("refuse".to_owned(), String::new());
    let error = pair.host.setup(refused).await.unwrap_err();
    assert!(
        matches!(&error, Error::Setup(text) if text == "refused as told"),
        "{error}"
    );
    let socket = pair.folder.join("b1");
    while socket.exists() {
        tokio::task::yield_now().await;
    }
    pair.mount(&Arc::default()).await;
}

#[tokio::test]
async fn errors_keep_their_class_and_a_panic_is_one_with_a_text() {
    let pair = Pair::new(|_, _, request| async move {
        match request.path.as_str() {
            "denied" => Err(EngineError::permission_denied()),
            "panic" => panic!("as told"),
            _ => Err(EngineError::unsupported_path()),
        }
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    for (path, kind, text) in [
        ("denied", ErrorKind::PermissionDenied, "permission denied"),
        (
            "panic",
            ErrorKind::Internal,
            "the plugin panicked while it served the request",
        ),
        ("else", ErrorKind::NotFound, "unsupported path"),
    ] {
        let error = instance
            .handle_request(None, &request(Operation::Read, path))
            .await
            .unwrap_err();
        let error = EngineError::from(error);
        assert_eq!(
            (error.kind(), error.messages()),
            (kind, &[text.to_owned()][..])
        );
    }
    pair.host.health().await.unwrap();
}

#[tokio::test]
async fn existence_checks_tell_found_from_unchecked() {
    let pair = echo_pair().await;
    let instance = pair.mount(&Arc::default()).await;
    let check = async |path| {
        let asked = request(Operation::Update, path);
        instance.existence_check(None, &asked).await.unwrap()
    };
    assert_eq!(check("missing").await, Some(false));
    assert_eq!(check("unchecked").await, None);
}

#[tokio::test]
async fn operations_that_an_engine_does_not_have_are_answered_as_such() {
    let pair = Pair::new(|_, _, _| async { Err(EngineError::unsupported_path()) }).await;
    let instance = pair.mount(&Arc::default()).await;
    let resolved = instance
        .resolve_path(None, &request(Operation::ResolvePath, "A/b"))
        .await;
    assert_eq!(resolved.unwrap(), None);
    let rolled_back = instance
        .handle_request(None, &request(Operation::Rollback, ""))
        .await;
    assert!(rolled_back.unwrap().is_none());
}

#[tokio::test]
async fn h36_dropping_a_call_cancels_it_in_the_plugin() {
    let started = Arc::new(Notify::new());
    let cancelled = Arc::new(Notify::new());
    let (begin, end) = (Arc::clone(&started), Arc::clone(&cancelled));
    let pair = Pair::new(move |_, ctx, _| {
        let (begin, end) = (Arc::clone(&begin), Arc::clone(&end));
        async move {
            begin.notify_one();
            ctx.cancel.cancelled().await;
            end.notify_one();
            Ok(None)
        }
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    let asked = request(Operation::Read, "x");
    tokio::select! {
        _ = instance.handle_request(None, &asked) => panic!("it was not to end by itself"),
        () = started.notified() => {}
    }
    cancelled.notified().await;
    pair.host.health().await.unwrap();
}

/// Without a deadline there is none in the plugin either; with one, the handler may read it, and the call ends at it.
#[tokio::test]
async fn h36_the_deadline_of_a_call_is_the_plugins_too() {
    let cancelled = Arc::new(Notify::new());
    let end = Arc::clone(&cancelled);
    let pair = Pair::new(move |_, ctx, request| {
        let end = Arc::clone(&end);
        async move {
            if request.path == "wait" {
                // Blind to the time, as some engines are; that nobody waits any more it hears.
                ctx.cancel.cancelled().await;
                end.notify_one();
                return Ok(None);
            }
            if request.path == "heed" {
                ctx.race(std::future::pending::<()>()).await?;
            }
            let left = ctx.deadline.map(|at| at - tokio::time::Instant::now());
            Ok(Some(Response::warning(format!("{left:?}"))))
        }
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    let limit = Duration::from_secs(90);
    let read = request(Operation::Read, "left");
    let left = async |deadline| {
        let answer = instance.handle_request(deadline, &read).await;
        answer.unwrap().unwrap().warnings.remove(0)
    };
    assert_eq!(left(None).await, "None");
    let told = left(Some(tokio::time::Instant::now() + limit)).await;
    assert!(
        told.starts_with("Some(9") || told.starts_with("Some(8"),
        "{told}"
    );
    for path in ["wait", "heed"] {
        let soon = tokio::time::Instant::now() + Duration::from_millis(30);
        let asked = request(Operation::Read, path);
        let error = instance.handle_request(Some(soon), &asked).await;
        let error = error.unwrap_err();
        assert!(error.is_deadline_exceeded(), "{path}: {error:?}");
        assert!(tokio::time::Instant::now() >= soon);
        let text = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
        assert_eq!(error.to_string(), text);
    }
    cancelled.notified().await;
    pair.host.health().await.unwrap();
}

#[tokio::test]
async fn cleanup_twice_succeeds_and_then_nobody_is_there() {
    let pair = echo_pair().await;
    let instance = pair.mount(&Arc::default()).await;
    instance.cleanup().await.unwrap();
    instance.cleanup().await.unwrap();
    let error = instance
        .handle_request(None, &request(Operation::Read, "x"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no backend instance found"),
        "{error}"
    );
}

#[tokio::test]
async fn shutdown_ends_the_plugin_and_what_is_in_flight() {
    let pair = Pair::new(|_, _, _| std::future::pending()).await;
    let instance = pair.mount(&Arc::default()).await;
    let asked = request(Operation::Read, "x");
    let plugin = pair.plugin.as_ref().unwrap();
    let (outcome, (), ()) = tokio::join!(
        instance.handle_request(None, &asked),
        pair.host.shutdown(Duration::from_secs(2)),
        plugin.ended(),
    );
    assert!(matches!(outcome, Err(Error::ShutDown)), "{outcome:?}");
    assert!(pair.host.is_closed());
}

#[tokio::test]
async fn the_exit_of_the_process_ends_every_call() {
    // The call has reached the plugin before the exit: one that has not may answer that it surely
    // was not delivered.
    let arrived = tokio_util::sync::CancellationToken::new();
    let arrival = arrived.clone();
    let pair = Pair::new(move |_, _, _| {
        arrival.cancel();
        std::future::pending()
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    let asked = request(Operation::Read, "x");
    let (outcome, ()) = tokio::join!(instance.handle_request(None, &asked), async {
        arrived.cancelled().await;
        pair.exited.cancel();
    });
    assert!(matches!(outcome, Err(Error::ShutDown)), "{outcome:?}");
}

#[tokio::test]
async fn a_call_after_the_connection_broke_was_surely_not_delivered() {
    let mut pair = echo_pair().await;
    let instance = pair.mount(&Arc::default()).await;
    drop(pair.plugin.take());
    while !pair.host.is_closed() {
        tokio::task::yield_now().await;
    }
    let error = instance
        .handle_request(None, &request(Operation::Read, "x"))
        .await
        .unwrap_err();
    assert!(error.is_not_delivered(), "{error:?}");
}

#[tokio::test]
async fn h48_a_hundred_requests_are_in_the_plugin_at_the_same_time() {
    const MANY: usize = 100;
    let inside = Arc::new(tokio::sync::Barrier::new(MANY));
    let pair = Pair::new(move |_, _, _| {
        let inside = Arc::clone(&inside);
        async move {
            // Nobody leaves before all are there.
            inside.wait().await;
            Ok(None)
        }
    })
    .await;
    let instance = pair.mount(&Arc::default()).await;
    let all = (0..MANY).map(|_| async {
        instance
            .handle_request(None, &request(Operation::Read, "x"))
            .await
            .unwrap();
    });
    let all = futures_util::future::join_all(all);
    tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .expect("somebody was kept waiting");
}
