//! Processes that behave as no SDK lets them: the plugin of `examples/raw.rs`.

use crate::plugins::kill;
use crate::scratch::{eventually, is_gone};
use crate::world::{World, example};
use linchpin_engine::{Backend, Fleet, Health, Joining};
use linchpin_model::PluginType;
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn mount(world: &World, path: &str) -> Arc<dyn Backend> {
    mount_told(world, path, "").await
}

/// The same, with words in its environment.
async fn mount_told(world: &World, path: &str, words: &str) -> Arc<dyn Backend> {
    let mut entry = world.other("raw", example("raw"));
    if !words.is_empty() {
        entry.env = vec![format!("RAW={words}")];
    }
    let made = world.prepare(entry, path, Joining::Newest).await.unwrap();
    made.backend.initialize(&world.ctx).await.unwrap();
    made.backend
}

#[tokio::test(flavor = "multi_thread")]
async fn h15_a_plugin_that_prints_ten_mebibytes_is_not_held_up() {
    let world = World::new(|_| {});
    let mount = mount(&world, "a").await;
    let end = Instant::now() + crate::scratch::PATIENCE;
    while world.read(&mount, "info").await.unwrap()["printed"] != 10 * 1024 {
        assert!(Instant::now() < end, "it is held up");
    }
    eventually("the last of it is kept", || {
        let lines = world.host.logs(PluginType::Secret, "tp", None, 1_000);
        lines.len() > 50 && lines.iter().all(|line| line.message.len() == 1023)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h50_a_broker_stream_that_the_plugin_ends_is_the_end_for_new_mounts_only() {
    let world = World::new(|_| {});
    let first = mount(&world, "a").await;
    let pid = world.pid(&first).await;
    let beside = mount(&world, "b").await;
    assert_eq!(world.pid(&beside).await, pid);
    world.read(&first, "end-broker").await.unwrap();

    // A new mount has a process of its own at once, and the next one joins that.
    let began = Instant::now();
    let mut other = mount(&world, "c").await;
    while world.pid(&other).await == pid {
        // It was quicker than the news of the end.
        other.cleanup(&world.ctx).await;
        other = mount(&world, "c").await;
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "no waiting for a broker that is gone"
        );
    }
    let next = mount(&world, "d").await;
    assert_eq!(world.pid(&next).await, world.pid(&other).await);
    for old in [&first, &beside] {
        assert_eq!(world.pid(old).await, pid, "what was there goes on");
        assert_eq!(old.health(), Health::Running);
    }
    first.cleanup(&world.ctx).await;
    beside.cleanup(&world.ctx).await;
    assert!(is_gone(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn h56_a_stopped_process_is_replaced_after_three_checks_and_a_busy_one_is_left_alone() {
    let interval = Duration::from_millis(100);
    let world = World::new(|s| s.health_interval = interval);
    let mount = mount(&world, "a").await;
    let before = world.pid(&mount).await;
    // Its one thread works, so it misses far more than three checks.
    let busy = world.read(&mount, "busy/1500").await.unwrap();
    assert_eq!(busy["pid"], before);
    assert_eq!(world.pid(&mount).await, before);
    assert_eq!(world.host.instances()[0].restarts, 0);

    let began = Instant::now();
    kill(before, "STOP");
    let now = || world.host.instances()[0].clone();
    eventually("it is replaced", || {
        now().pid().is_some_and(|pid| pid != before)
    })
    .await;
    assert!(
        began.elapsed() >= interval * 3,
        "not before three checks were missed"
    );
    assert_ne!(world.pid(&mount).await, before);
    let text = now().last_error.unwrap();
    assert_eq!(
        text,
        "plugin process hung: 3 health checks without an answer"
    );
    let totals = &world.host.totals()[0];
    assert_eq!((totals.starts, totals.hangs, totals.crashes), (2, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_a_plugin_without_a_stdio_stream_works() {
    let world = World::new(|_| {});
    let mount = mount_told(&world, "a", "no-stdio").await;
    let answer = world.read(&mount, "info").await.unwrap();
    assert_eq!(answer["printed"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn h22_a_plugin_without_initialize_has_nothing_to_initialise() {
    let world = World::new(|_| {});
    let mount = mount_told(&world, "a", "no-initialize").await;
    world.read(&mount, "info").await.unwrap();
}

/// The host announces the socket right before Setup, and goes on accepting (plugin-protocol §1.12).
#[tokio::test(flavor = "multi_thread")]
async fn h17_a_plugin_may_connect_back_seconds_after_it_was_told_where() {
    let world = World::new(|_| {});
    let mount = mount_told(&world, "a", "dial=4000").await;
    world.read(&mount, "info").await.unwrap();
}

/// What it calls back with, and what it must find in the answers, is in `examples/raw.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn h52_what_newer_sdks_send_with_their_calls_does_not_matter() {
    let world = World::new(|_| {});
    let mount = mount_told(&world, "a", "dial=0").await;
    world.read(&mount, "info").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn h51_a_plugin_that_never_connects_back_can_be_mounted_and_unmounted() {
    let world = World::new(|_| {});
    let began = Instant::now();
    let mount = mount(&world, "a").await;
    let pid = world.pid(&mount).await;
    mount.cleanup(&world.ctx).await;
    assert!(is_gone(pid));
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "nothing has waited for the connection"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn h55_an_instance_that_stops_reading_does_not_hold_its_sibling_up() {
    let world = World::new(|_| {});
    let stalled = mount(&world, "a").await;
    let sibling = mount(&world, "b").await;
    let pid = world.pid(&stalled).await;
    assert_eq!(world.pid(&sibling).await, pid, "one process");
    world.read(&stalled, "stall").await.unwrap();
    let big = serde_json::json!({"big": "x".repeat(20 << 20)});
    let sending = world.send(
        &stalled,
        linchpin_model::Operation::Update,
        "big",
        Some(big),
    );
    tokio::pin!(sending);
    for _ in 0..50 {
        // The big message gets its turns, and gets nowhere.
        tokio::select! {
            done = &mut sending => panic!("it was read: {done:?}"),
            answer = world.read(&sibling, "info") => assert_eq!(answer.unwrap()["pid"], pid),
        }
    }
}
