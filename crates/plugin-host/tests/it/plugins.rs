//! Mounts of the fault plugin: sharing, crashes, broken starts, probes, and the end.

use crate::scratch::{eventually, is_gone, runs};
use crate::world::{World, example};
use linchpin_engine::{Backend, Fleet, Health, Joining};
use linchpin_model::{ErrorKind, Operation, PluginType, Sha256};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn h19_two_mounts_share_a_process_and_nothing_else() {
    let world = World::new(|_| {});
    let (a, b) = (world.mount(&[], "a").await, world.mount(&[], "b").await);
    let pid = world.pid(&a).await;
    assert_eq!(world.pid(&b).await, pid);
    assert_eq!(world.directories(), 1);
    let value = Some(json!({"value": "of a"}));
    world
        .send(&a, Operation::Update, "kv/x", value)
        .await
        .unwrap();
    assert_eq!(world.read(&a, "kv/x").await.unwrap()["value"], "of a");
    assert!(world.read(&b, "kv/x").await.unwrap()["value"].is_null());
    let listed = world.host.instances();
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .all(|i| i.pid() == Some(pid) && i.generation == 1 && i.restarts == 0)
    );

    a.cleanup(&world.ctx).await;
    assert_eq!(world.pid(&b).await, pid);
    b.cleanup(&world.ctx).await;
    assert!(is_gone(pid));
    assert_eq!(world.directories(), 0);
    b.cleanup(&world.ctx).await;
}

/// The private directory of a process has names of our own in it: the first instance's socket is `b1`.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_file_may_have_any_name() {
    let world = World::new(|_| {});
    for name in ["b1", "exe"] {
        let entry = world.other(name, example("fault"));
        let made = world.prepare(entry, name, Joining::Newest).await.unwrap();
        made.backend.initialize(&world.ctx).await.unwrap();
        let pid = world.pid(&made.backend).await;
        let short = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        assert_eq!(short.trim_end(), name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h18_a_plugin_that_does_not_multiplex_has_a_process_per_mount() {
    let world = World::new(|_| {});
    let env = ["FAULT_MULTIPLEX=0"];
    let (a, b) = (world.mount(&env, "a").await, world.mount(&env, "b").await);
    let (pid_a, pid_b) = (world.pid(&a).await, world.pid(&b).await);
    assert_ne!(pid_a, pid_b);
    a.cleanup(&world.ctx).await;
    assert!(is_gone(pid_a) && runs(pid_b));
    drop(b);
    eventually("the dropped instance's process has gone", || is_gone(pid_b)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h37_a_killed_process_is_back_without_any_request_and_all_its_mounts_with_it() {
    let world = World::new(|_| {});
    let (a, b) = (world.mount(&[], "a").await, world.mount(&[], "b").await);
    let pid = world.pid(&a).await;
    kill(pid, "KILL");
    eventually("another process runs", || {
        let listed = world.host.instances();
        listed
            .iter()
            .all(|i| i.pid().is_some_and(|now| now != pid) && i.restarts == 1)
    })
    .await;
    let again = world.pid(&a).await;
    assert_ne!(again, pid);
    assert_eq!(world.pid(&b).await, again);
    assert!(world.host.instances().iter().all(|i| i.generation == 1));
    assert!(is_gone(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn h37_only_what_was_in_flight_fails_when_a_process_ends() {
    let world = World::new(|s| {
        s.restart.first_pause = Duration::from_millis(20);
        s.restart.breaker_after = 100;
    });
    let mount = world.mount(&[], "a").await;
    for _ in 0..3 {
        let error = world.read(&mount, "exit").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        let text = error.to_string();
        assert!(
            text.contains("plugin process ended: exit status 7"),
            "{text}"
        );
        assert!(world.pid(&mount).await > 0);
    }
    for _ in 0..3 {
        // The request is sent after the end was observable, and before anybody has reacted.
        let pid = world.pid(&mount).await;
        kill(pid, "KILL");
        eventually("the process has ended", || !runs(pid)).await;
        assert_ne!(world.pid(&mount).await, pid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_start_says_why_and_leaves_nothing() {
    let world = World::new(|s| s.plugin_start_timeout = Duration::from_millis(700));
    let old = world.mount(&[], "old").await;
    let pid = world.pid(&old).await;
    let reload = |number: u32| Joining::NewerThan {
        generation: Some(1),
        call: format!("call-{number}").into(),
    };
    let mut cases = Vec::new();
    for (env, expected) in [
        (
            "FAULT_START=exit",
            "/fault: exit status 3 before its handshake; last output: fault: exiting",
        ),
        (
            "FAULT_START=hang",
            "timeout while waiting for plugin to start",
        ),
        ("FAULT_SETUP=fail", "fault: Setup fails as told"),
        ("FAULT_TYPE=auth", "unknown backend type: \"tp\""),
    ] {
        cases.push((world.entry(&[env]), expected));
    }
    let mut wrong_digest = world.entry(&[]);
    wrong_digest.sha256 = Sha256([0; 32]);
    cases.push((wrong_digest, "checksums did not match"));
    let mut missing = world.entry(&[]);
    missing.command = "gone".to_owned();
    cases.push((missing, "no such file or directory"));
    let mut other_version = world.entry(&[]);
    other_version.version = Some("v9.1.0".parse().unwrap());
    let expected = "tp reported version (v1.0.0) did not match requested version (v9.1.0)";
    cases.push((other_version, expected));
    let preload = world.entry(&["LD_PRELOAD=/x.so"]);
    cases.push((preload, "LD_PRELOAD"));

    for (number, (entry, expected)) in (0..).zip(cases) {
        let error = world
            .prepare(entry, "old", reload(number))
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(
            error.to_string().contains(expected),
            "{error} has no {expected}"
        );
        assert_eq!(world.pid(&old).await, pid);
        assert_eq!(world.directories(), 1, "{expected}");
    }
    let made = world
        .prepare(world.entry(&["FAULT_INIT=fail"]), "old", reload(99))
        .await;
    let backend = made.unwrap().backend;
    let error = backend.initialize(&world.ctx).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("fault: Initialize fails as told"),
        "{error}"
    );
    backend.cleanup(&world.ctx).await;
    assert_eq!(world.directories(), 1);
    assert_eq!(world.pid(&old).await, pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_that_are_reloaded_one_by_one_end_in_one_generation() {
    let world = World::new(|_| {});
    let mut mounts: Vec<Arc<dyn Backend>> = Vec::new();
    for number in 0..5 {
        mounts.push(world.mount(&[], &number.to_string()).await);
    }
    let first = world.pid(&mounts[0]).await;
    for (number, mount) in mounts.iter_mut().enumerate() {
        let joining = Joining::NewerThan {
            generation: Some(1),
            call: format!("call-{number}").into(),
        };
        let made = world
            .prepare(world.entry(&[]), &number.to_string(), joining)
            .await
            .unwrap();
        assert_eq!(made.running.generation, Some(2));
        made.backend.initialize(&world.ctx).await.unwrap();
        let old = std::mem::replace(mount, made.backend);
        old.cleanup(&world.ctx).await;
    }
    assert!(is_gone(first));
    assert_eq!(world.directories(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn h38_a_crash_loop_slows_down_and_opens_the_breaker() {
    let world = World::new(|s| {
        s.restart.first_pause = Duration::from_millis(50);
        s.restart.breaker_after = 3;
    });
    let mount = world.mount(&["FAULT_EXIT_ON_REQUEST=1"], "a").await;
    let mut crashes = 0;
    let began = Instant::now();
    let refusal = loop {
        let error = world.read(&mount, "info").await.unwrap_err();
        if error.kind() == ErrorKind::Unavailable {
            break error;
        }
        crashes += 1;
        assert!(crashes < 20 && began.elapsed() < Duration::from_secs(20));
    };
    assert_eq!(crashes, 4);
    assert!(refusal.retry_after().is_some());
    assert!(refusal.to_string().contains("exit status 7"), "{refusal}");
    assert!(matches!(mount.health(), Health::Degraded { .. }));
    eventually("it is tried again", || mount.health() == Health::Running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h56_a_stopped_process_is_replaced_and_a_slow_call_is_not_disturbed() {
    let world = World::new(|s| s.health_interval = Duration::from_millis(100));
    let mount = world.mount(&[], "a").await;
    let pid = world.pid(&mount).await;
    let slow = world.read(&mount, "sleep/2").await.unwrap();
    assert_eq!(slow["pid"], pid);
    kill(pid, "STOP");
    eventually("the hung process is replaced", || {
        world
            .host
            .instances()
            .iter()
            .all(|i| i.pid().is_some_and(|now| now != pid))
    })
    .await;
    assert_ne!(world.pid(&mount).await, pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn h45_a_probe_learns_type_and_version_and_a_hung_one_blocks_nobody() {
    let world = World::new(|s| s.plugin_start_timeout = Duration::from_secs(3));
    let entry = world.entry(&["FAULT_VERSION=v1.2.3"]);
    let probe = world.host.probe(&world.ctx, &entry, None).await.unwrap();
    assert_eq!(
        (probe.plugin_type, &*probe.version),
        (PluginType::Secret, "v1.2.3")
    );
    assert_eq!(world.directories(), 0);

    let hangs = world.entry(&["FAULT_START=hang"]);
    let began = Instant::now();
    let (refusal, ()) = tokio::join!(world.host.probe(&world.ctx, &hangs, None), async {
        let mount = world.mount(&[], "a").await;
        assert!(world.pid(&mount).await > 0);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    });
    let refusal = refusal.unwrap_err().to_string();
    assert!(refusal.contains("timeout while waiting"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_server_leaves_nothing_even_in_the_middle_of_a_start() {
    let world = World::new(|_| {});
    let stubborn = world.mount(&["FAULT_SHUTDOWN=ignore"], "a").await;
    let pid = world.pid(&stubborn).await;
    let (host, shutdown) = (world.host.clone(), async {
        eventually("the hanging start has begun", || world.directories() == 2).await;
        world.host.shutdown().await;
    });
    let began = Instant::now();
    let hanging = world.prepare(world.entry(&["FAULT_START=hang"]), "b", Joining::Newest);
    let (refused, ()) = tokio::join!(hanging, shutdown);
    assert!(refused.is_err());
    assert!(is_gone(pid));
    assert_eq!(world.directories(), 0);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert!(host.instances().iter().all(|i| i.pid().is_none()));
    assert!(
        world
            .prepare(world.entry(&[]), "c", Joining::Newest)
            .await
            .is_err()
    );
}

/// Forked on a thread of the blocking pool, a plugin dies with that thread; forked by the spawner
/// it lives. The pool's threads end soon here, and are used meanwhile.
#[cfg(feature = "fault-injection")]
#[test]
fn plugins_outlive_the_threads_of_the_blocking_pool() {
    use linchpin_plugin_host::PluginHost;
    let survives = |mutant: bool| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_keep_alive(Duration::from_millis(200))
            .build()
            .unwrap();
        runtime.block_on(async {
            let world = World::with(
                |_| {},
                |settings| {
                    let launcher = crate::world::launcher();
                    if mutant {
                        PluginHost::start_forking_on_the_blocking_pool(settings, launcher).unwrap()
                    } else {
                        PluginHost::start(settings, launcher).unwrap()
                    }
                },
            );
            let mount = world.mount(&[], "a").await;
            let pid = world.pid(&mount).await;
            let end = Instant::now() + Duration::from_secs(2);
            while Instant::now() < end && runs(pid) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let alive = runs(pid);
            world.host.shutdown().await;
            alive
        })
    };
    assert!(survives(false));
    assert!(!survives(true), "the mutant is not noticed");
}

pub(crate) fn kill(pid: u32, signal: &str) {
    let done = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(done.unwrap().success());
}
