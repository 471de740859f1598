//! What never answers, a plugin or a disk, is waited for only so long.

use crate::scratch::PATIENCE;
use crate::world::{World, example};
use linchpin_engine::{Fleet, Joining};
use linchpin_model::{ErrorKind, Operation, Request};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context as Waking, Poll, Waker};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_answers_nothing_fails_its_generation_and_leaves_nothing() {
    let world = World::new(|s| s.plugin_setup_timeout = SHORT);
    let entry = world.other("mute", example("mute"));
    let expected = "MultiplexingSupport did not end within 0.3 s";
    for attempt in ["first", "equal entry again"] {
        let made = world.prepare(entry.clone(), "a", Joining::Newest);
        let made = tokio::time::timeout(PATIENCE, made).await;
        let error = made.expect("it ends by itself").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.to_string(), expected, "{attempt}");
        assert_eq!(world.directories(), 0, "{attempt}");
    }
    let probed = world.host.probe(&world.ctx, &entry, None).await;
    let text = probed.unwrap_err().to_string();
    let with_output = format!("{expected}; last output: mute: says nothing more");
    assert_eq!(text, with_output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_hangs_is_named_with_its_limit() {
    let world = World::new(|s| {
        s.plugin_setup_timeout = SHORT;
        s.plugin_initialize_timeout = SHORT;
        s.plugin_cleanup_timeout = SHORT;
    });
    let hangs = world.entry(&["FAULT_HANG=setup"]);
    let error = world.prepare(hangs, "a", Joining::Newest).await.err();
    let text = error.unwrap().to_string();
    assert_eq!(text, "Setup did not end within 0.3 s");

    let hangs = world.entry(&["FAULT_HANG=init"]);
    let made = world.prepare(hangs, "b", Joining::Newest).await.unwrap();
    let error = made.backend.initialize(&world.ctx).await.unwrap_err();
    assert_eq!(error.to_string(), "Initialize did not end within 0.3 s");
}

/// The core races the same limit and began to count first.
#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_the_caller_reads_like_our_own() {
    let world = World::new(|_| {});
    let hangs = world.entry(&["FAULT_HANG=init"]);
    let made = world.prepare(hangs, "a", Joining::Newest).await.unwrap();
    let limited = world.ctx.within(SHORT);
    let error = made.backend.initialize(&limited).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.to_string(), "Initialize did not end within 0.3 s");
}

/// The plugin is told the same time and says when it is over: whoever is faster, the caller hears the same.
#[tokio::test(flavor = "multi_thread")]
async fn h36_the_end_of_a_requests_time_is_always_told_in_the_same_words() {
    let world = World::new(|_| {});
    let mount = world.mount(&[], "a").await;
    let pid = world.pid(&mount).await;
    for milliseconds in 1..40 {
        let limited = world.ctx.within(Duration::from_millis(milliseconds));
        let request = Request {
            operation: Some(Operation::Read),
            path: "sleep/3600".to_owned(),
            ..Request::default()
        };
        let error = mount.handle(&limited, request).await.unwrap_err();
        assert_eq!(error.to_string(), "context canceled");
    }
    assert_eq!(world.pid(&mount).await, pid);
}

/// A runtime whose one thread for what blocks is busy until the sender sends: as if the disk hung.
fn with_a_hung_disk(work: impl AsyncFnOnce(mpsc::SyncSender<()>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (release, released) = mpsc::sync_channel(1);
    runtime.spawn_blocking(move || {
        let _ = released.recv();
    });
    runtime.block_on(work(release));
}

#[test]
fn a_disk_that_hangs_ends_a_start_and_the_next_one_succeeds() {
    with_a_hung_disk(async |release| {
        let world = World::new(|s| {
            s.plugin_start_timeout = SHORT;
            s.plugin_setup_timeout = SHORT;
        });
        let made = world.prepare(world.entry(&[]), "a", Joining::Newest);
        let made = tokio::time::timeout(PATIENCE, made).await;
        let error = made.expect("it ends by itself").err().unwrap();
        let text = error.to_string();
        assert_eq!(text, "the start of the plugin did not end within 0.9 s");
        release.send(()).unwrap();

        let world = World::new(|_| {});
        let mount = world.mount(&[], "a").await;
        assert!(world.pid(&mount).await > 0);
        world.host.shutdown().await;
    });
}

#[test]
fn a_look_at_a_file_does_not_hold_up_a_thread_of_the_runtime() {
    with_a_hung_disk(async |release| {
        let world = World::new(|_| {});
        let mut look = pin!(world.host.inspect("gone"));
        let mut nobody = Waking::from_waker(Waker::noop());
        // On this thread it would have its answer now.
        assert!(matches!(look.as_mut().poll(&mut nobody), Poll::Pending));
        release.send(()).unwrap();
        let text = look.await.unwrap_err().to_string();
        assert!(text.contains("no such file or directory"), "{text}");
        assert!(world.host.inspect("fault").await.unwrap().sha256.is_some());
    });
}
