//! Who reads which words of a plugin, and what is said beside them.

use crate::scratch::eventually;
use crate::world::World;
use linchpin_engine::{Fleet, Health, Joining};
use linchpin_model::ErrorKind;
use std::time::Duration;

/// 503 is answered on paths that need no token, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_broken_mount_reads_the_cause_and_nothing_that_the_plugin_printed() {
    let world = World::new(|s| {
        s.restart.first_pause = Duration::from_secs(5);
        s.restart.breaker_after = 0;
    });
    let env = ["FAULT_STDERR=7", "FAULT_EXIT_ON_REQUEST=1"];
    let mount = world.mount(&env, "a").await;
    world.read(&mount, "info").await.unwrap_err();
    let is_degraded = || matches!(mount.health(), Health::Degraded { .. });
    let mut refusals = Vec::new();
    while refusals.is_empty() {
        // The first restart is immediate, so the breaker may be closed again for a moment.
        let error = world.read(&mount, "info").await.unwrap_err();
        if error.kind() == ErrorKind::Unavailable {
            refusals.push(error.to_string());
        }
    }
    eventually("the mount is known to be degraded", is_degraded).await;
    if let Health::Degraded { cause, .. } = mount.health() {
        refusals.push(cause);
    }
    for text in &refusals {
        assert!(
            text.contains("plugin process ended: exit status 7"),
            "{text}"
        );
        assert!(!text.contains("as told"), "{text}");
    }
    assert!(refusals[0].contains("(file \"fault\")"), "{}", refusals[0]);

    // Whoever mounts it reads what it said.
    let exits = world.entry(&["FAULT_START=exit"]);
    let error = world.prepare(exits, "b", Joining::Newest).await.err();
    let text = error.unwrap().to_string();
    assert!(text.contains("last output: fault: exiting"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_an_old_sdk_is_told_what_to_do() {
    let world = World::new(|_| {});
    let script = |body: &str| format!("#!/bin/sh\n{body}\n");
    let old = world.other("old", script("echo '1|4|unix|/tmp/p|grpc|'; exec sleep 60"));
    let complaint = "plugin tls init error: error parsing wrapping token: invalid";
    let older = world.other("older", script(&format!("echo '{complaint}' >&2")));
    for (entry, own) in [
        (old, "plugin version \"4\", client versions [5]"),
        (older, complaint),
    ] {
        let made = world.prepare(entry.clone(), "a", Joining::Newest).await;
        let probed = world.host.probe(&world.ctx, &entry, None).await;
        for error in [made.err().unwrap(), probed.unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains(own), "{text}");
            assert!(text.contains("rebuild it with v0.6.0 or newer"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_end_of_the_server_cuts_off_is_unavailable() {
    let world = World::new(|_| {});
    let mount = world.mount(&[], "a").await;
    let before = world.pid(&mount).await;
    assert!(before > 0);
    let (outcome, ()) = tokio::join!(world.read(&mount, "sleep/30"), async {
        // Polled first, the request is on its way; whether it has arrived makes no difference.
        world.host.shutdown().await;
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
