//! The promise: a fleet is reloaded while requests flow, and not one of them fails.
//!
//! Proven with the unmodified Go plugin, and the counter of failures itself is proven twice: by a mutant of ours without its gate, and by OpenBao,
//! which is known to fail requests here.

use std::time::Duration;

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{
    Expect, Fixture, Load, LoadReport, Product, Settings, Target, fixture, run, skip,
};
use serde_json::json;

const CONNECTIONS: usize = 16;
const RELOADS: usize = 10;
const REQUESTS: u64 = 20_000;
/// Requests that must be answered between two reloads, so that each of them happens under load.
const BETWEEN: u64 = 100;

#[test]
fn reload_under_load() {
    let (Some(_), Some(_)) = (fixture(Fixture::KvOld), fixture(Fixture::KvNew)) else {
        return skip(Fixture::KvOld);
    };
    run(Product::Linchpin, async |product| {
        let t = two_mounts(product, Settings::default()).await;
        let load = start(&t);
        for round in 0..RELOADS {
            t.reload("a").await.is(200);
            settle(&load, &format!("reload {round} of one mount")).await;
        }
        for round in 0..RELOADS {
            t.post("sys/plugins/reload/backend", json!({"plugin": "gokv"}))
                .await
                .is(200)
                .silent();
            settle(&load, &format!("reload {round} by name")).await;
        }
        for round in 0..RELOADS {
            let version = if round % 2 == 0 { "v1.1.0" } else { "v1.0.0" };
            t.post("sys/plugins/pins/secret/gokv", json!({"version": version}))
                .await
                .is(200);
            t.post("sys/plugins/reload/secret/gokv", json!({}))
                .await
                .is(200)
                .silent();
            for mount in ["a", "b"] {
                t.get(&format!("sys/mounts/{mount}"))
                    .await
                    .is(200)
                    .has("/data/running_plugin_version", version);
            }
            settle(&load, &format!("pin change {round}")).await;
        }
        let missing = REQUESTS.saturating_sub(load.answered());
        load.advance(missing, Duration::from_secs(120)).await;
        let report = load.stop().await;
        report.expect_all_good(20_000);
        // The generations before the last one have ended with their last request.
        linchpin_testkit::until("one process is left", || async {
            (t.plugin_pids().len() == 1).then_some(())
        })
        .await;
    });
}

#[test]
fn reload_under_load_goes_red_without_the_gate() {
    if fixture(Fixture::KvOld).is_none() {
        return skip(Fixture::KvOld);
    }
    run(Product::Mutant, async |product| {
        let report = reload_ten_times(
            product,
            Settings::default().env("LINCHPIN_FAULT", "gate-off"),
        )
        .await;
        assert!(
            !report.failures().is_empty(),
            "{} requests and none failed: the gate makes no difference",
            report.answers.len()
        );
    });
}

#[test]
fn reload_under_load_goes_red_with_openbao() {
    if fixture(Fixture::KvOld).is_none() {
        return skip(Fixture::KvOld);
    }
    run(Product::OpenBao, async |product| {
        let report = reload_ten_times(product, Settings::default()).await;
        assert!(
            !report.failures().is_empty(),
            "{} requests and none failed: the load does not overlap the reloads",
            report.answers.len()
        );
    });
}

/// The first third of the test, for those who fail at it.
async fn reload_ten_times(product: Product, settings: Settings) -> LoadReport {
    let t = two_mounts(product, settings).await;
    let load = start(&t);
    for round in 0..RELOADS {
        t.reload("a").await;
        settle(&load, &format!("reload {round}")).await;
    }
    load.stop().await
}

/// Two mounts of one multiplexing plugin, of which two versions are registered; one key in each.
async fn two_mounts(product: Product, settings: Settings) -> Target {
    let t = Target::with(product, settings).await;
    for (version, file, from) in [
        ("1.0.0", "kv-old", Fixture::KvOld),
        ("1.1.0", "kv-new", Fixture::KvNew),
    ] {
        t.plugins()
            .install(file, &fixture(from).expect("asked for at the start"));
        t.register("gokv", version, file, json!({})).await.ok();
    }
    for mount in ["a", "b"] {
        t.mount(
            mount,
            "gokv",
            json!({"config": {"plugin_version": "1.0.0"}}),
        )
        .await
        .ok();
        t.post(&format!("{mount}/key"), json!({"value": mount}))
            .await
            .ok();
    }
    let processes = t.server().plugin_processes();
    assert_eq!(
        processes.len(),
        1,
        "both mounts share a process: {processes:?}"
    );
    t
}

/// Half of the connections on each mount; reads, and every eighth request a write.
fn start(t: &Target) -> Load {
    let request = |connection: usize, number: u64| {
        let mount = if connection.is_multiple_of(2) {
            "a"
        } else {
            "b"
        };
        if number % 8 == 7 {
            let body = json!({"value": format!("{connection}-{number}")});
            return Request::new(Method::POST, &format!("{mount}/own-{connection}")).json(&body);
        }
        Request::new(Method::GET, &format!("{mount}/key"))
    };
    Load::start(t.client(), CONNECTIONS, request, |_| String::new())
}

async fn settle(load: &Load, what: &str) {
    load.advance(BETWEEN, Duration::from_secs(60)).await;
    eprintln!("{what}: {} requests", load.answered());
}
