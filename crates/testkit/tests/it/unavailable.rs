//! What cannot be served now: never an error that sounds final, but 503 with `Retry-After` and the cause. Case 97.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use linchpin_testkit::client::Reply;
use linchpin_testkit::{
    Expect, Process, Product, Settings, Target, cases, sleep, switch, until, within,
};
use serde_json::{Value, json};

cases! {
    linchpin:
        case_97_a_full_gate_queue_is_a_503_with_its_cause,
        case_97_an_open_breaker_is_a_503_with_its_cause,
        case_97_a_mount_whose_file_is_gone_is_a_503_with_its_cause,
        case_97_a_mount_whose_setup_fails_again_is_a_503_with_its_cause,
        case_97_a_mount_that_is_still_starting_is_a_503_with_its_cause;
}

/// The answer is a 503 that says when to come again, and why, in these words.
#[track_caller]
fn come_again(reply: Reply, causes: &[&str]) {
    let seconds = reply
        .header("retry-after")
        .and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{reply:?}");
    let mut reply = reply.is(503);
    for cause in causes {
        reply = reply.error_has(cause);
    }
}

/// A mount `m` of the fault plugin, whose entry has these further fields.
async fn mounted(product: Product, settings: Settings, entry: Value) -> Target {
    let t = Target::with(product, settings).await;
    t.register("tp", "1.0.0", "tp1", entry).await.ok();
    t.mount("m", "tp", json!({})).await.ok();
    t
}

async fn case_97_a_full_gate_queue_is_a_503_with_its_cause(product: Product) {
    let settings = Settings::default()
        .set("gate_queue", 1)
        .set("gate_timeout", "5s")
        .set("drain_timeout", "10s");
    let t = mounted(product, settings, json!({})).await;
    let old = t.info("m").await;
    // Two at a time: when the gate is closed one of them waits, and the other finds the queue full.
    let ask = async {
        let refused = until("the gate is closed", || async {
            let (first, second) = tokio::join!(t.get("m/info"), t.get("m/info"));
            let mut refused = vec![first, second];
            refused.retain(|reply| reply.status() != 200);
            assert!(refused.len() < 2, "nobody waits: {refused:?}");
            refused.pop()
        });
        come_again(refused.await, &["m/", "queue is full"]);
    };
    let reload = async {
        until("the long request is inside", || async {
            (t.info("m").await == old).then_some(())
        })
        .await;
        t.reload("m").await.is(200);
    };
    let (reply, (), ()) = tokio::join!(t.send(sleep("m", 2.0)), reload, ask);
    reply.is(200);
    assert_ne!(t.info("m").await.pid, old.pid);
}

async fn case_97_an_open_breaker_is_a_503_with_its_cause(product: Product) {
    let settings = Settings::default()
        .set("breaker_threshold", 2)
        .set("respawn_backoff_min", "100ms");
    let entry = json!({"env": [switch::EXITS_AFTER_INITIALIZE]});
    let t = mounted(product, settings, entry).await;
    let refused = until("the breaker opens", || async {
        Some(t.get("m/info").await).filter(|reply| reply.status() == 503)
    });
    come_again(refused.await, &["tp", "exit status 7"]);
}

/// Run by its path, a plugin that ends needs its file again.
async fn case_97_a_mount_whose_file_is_gone_is_a_503_with_its_cause(product: Product) {
    let settings = Settings::default()
        .set("breaker_threshold", 1)
        .set("respawn_backoff_min", "100ms")
        .set("respawn_backoff_max", "1s");
    let t = mounted(product, settings, json!({"execution": "path"})).await;
    t.mount("things", "kv", json!({})).await.ok();
    let old = t.info("m").await.pid;
    t.plugins().remove("tp1");
    Process::kill(old);
    let refused = until("the mount is degraded", || async {
        Some(t.get("m/info").await).filter(|reply| reply.status() == 503)
    });
    let file = t.plugins().file("tp1").display().to_string();
    come_again(refused.await, &[&file, "no such file or directory"]);
    t.post("things/a", json!({"b": "c"})).await.ok();
    // It comes back by itself.
    t.plugins()
        .install("tp1", &linchpin_testkit::binary("fault-v1"));
    let back = || async { t.get("m/info").await.is_success().then_some(()) };
    within(Duration::from_secs(10), "the mount answers again", back).await;
    assert_ne!(t.info("m").await.pid, old);
}

/// The process is there again, but this mount's instance in it cannot be set up.
async fn case_97_a_mount_whose_setup_fails_again_is_a_503_with_its_cause(product: Product) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let settings = Settings::default().set("plugin_health_interval", "500ms");
    let entry = json!({"env": [format!("FAULT_PORT={port}")]});
    let t = mounted(product, settings, entry).await;
    // Its port is taken between its end and its next Setup; should that have been quicker, once more.
    let begin = Instant::now();
    let taken = loop {
        let pid = t.info("m").await.pid;
        Process::kill(pid);
        let taken = loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(taken) => break Some(taken),
                Err(_) if Process::runs(pid) => std::thread::yield_now(),
                Err(_) => break None,
            }
        };
        match taken {
            Some(taken) => break taken,
            None => assert!(begin.elapsed() < Duration::from_secs(30)),
        }
    };
    // First it may say that the process was killed too often: every kill above counts.
    let cause = format!("port {port} is taken");
    let refused = until("the mount is degraded by its setup", || async {
        let reply = t.get("m/info").await;
        let is_said = reply.errors().iter().any(|error| error.contains(&cause));
        (reply.status() == 503 && is_said).then_some(reply)
    });
    come_again(refused.await, &["tp", &cause]);
    drop(taken);
    let back = || async { t.get("m/info").await.is_success().then_some(()) };
    within(Duration::from_secs(10), "the mount answers again", back).await;
}

async fn case_97_a_mount_that_is_still_starting_is_a_503_with_its_cause(product: Product) {
    let settings = Settings::default().set("plugin_start_wait", "300ms");
    let entry = json!({"env": ["FAULT_SETUP_WAIT_MS=3000"]});
    let t = mounted(product, settings, entry).await;
    let old = t.info("m").await.pid;
    Process::kill(old);
    until("the process is gone", || async {
        (!Process::runs(old)).then_some(())
    })
    .await;
    let begin = Instant::now();
    come_again(t.get("m/info").await, &["tp", "still starting"]);
    let waited = begin.elapsed();
    assert!(
        (Duration::from_millis(300)..Duration::from_secs(2)).contains(&waited),
        "it was refused after {waited:?}"
    );
    // And then it is there.
    let back = || async { t.get("m/info").await.is_success().then_some(()) };
    within(Duration::from_secs(10), "the mount answers again", back).await;
    assert_ne!(t.info("m").await.pid, old);
}
