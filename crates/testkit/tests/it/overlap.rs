//! Plugins that cannot run beside their successor, and reloads that follow a pin or a tuned version at once. Case 92.

use linchpin_testkit::{Expect, Load, Product, Target, cases, sleep, switch, until};
use serde_json::{Value, json};

cases! {
    linchpin:
        case_92_a_plugin_that_holds_a_port_is_stopped_before_its_successor_starts,
        a_pin_can_reload_at_once,
        a_pin_whose_reload_fails_is_put_back,
        a_tuned_version_can_be_reloaded_at_once;
}

/// A port that is free now, for a plugin to listen on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

async fn case_92_a_plugin_that_holds_a_port_is_stopped_before_its_successor_starts(
    product: Product,
) {
    let t = Target::start(product).await;
    let port = format!("FAULT_PORT={}", free_port());
    let entry = |more: &[&str], overlap: bool| {
        let mut env = vec![port.as_str()];
        env.extend(more);
        json!({"env": env, "overlap": overlap})
    };
    t.register("tp", "1.0.0", "tp1", entry(&[], false))
        .await
        .ok();
    t.mount("a", "tp", json!({})).await.ok();
    t.store("a", "key", "kept").await;
    let first = t.info("a").await;

    // To a second version: requests wait, and none fails.
    t.register("tp", "1.1.0", "tp2", entry(&[], false))
        .await
        .ok();
    t.post("sys/plugins/pins/secret/tp", json!({"version": "1.1.0"}))
        .await
        .ok();
    let load = Load::start(t.client(), 4, |_, _| sleep("a", 0.001), |_| String::new());
    load.advance(20, linchpin_testkit::PATIENCE).await;
    t.post("sys/plugins/reload/backend", json!({"plugin": "tp"}))
        .await
        .ok()
        .has("/data/results/0/to_version", "v1.1.0");
    load.advance(20, linchpin_testkit::PATIENCE).await;
    load.stop().await.expect_all_good(40);
    let second = t.info("a").await;
    assert_eq!(second.version, "v1.1.0");
    assert_ne!(second.pid, first.pid);

    // To one that fails to start: the old version serves again, from a new process.
    t.register(
        "tp",
        "1.2.0",
        "tp2",
        entry(&[switch::NO_VERSION, switch::INITIALIZE_FAILS], false),
    )
    .await
    .ok();
    t.post("sys/plugins/pins/secret/tp", json!({"version": "1.2.0"}))
        .await
        .ok();
    t.post("sys/plugins/reload/backend", json!({"plugin": "tp"}))
        .await
        .is(400)
        .error_has("fault: Initialize fails as told")
        .has("/data/results/0/to_version", "v1.1.0")
        .has("/data/results/0/status", "failed");
    let third = t.info("a").await;
    assert_eq!(third.version, "v1.1.0");
    assert_eq!(t.stored("a", "key").await, "kept");

    // Without the mark the error says what the way out is, and nothing is touched.
    let port = format!("FAULT_PORT={}", free_port());
    let beside = json!({"env": [port]});
    t.register("other", "1.0.0", "tp1", beside.clone())
        .await
        .ok();
    t.register("other", "1.1.0", "tp2", beside).await.ok();
    t.mount("b", "other", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    let before = t.info("b").await;
    t.post("sys/plugins/pins/secret/other", json!({"version": "1.1.0"}))
        .await
        .ok();
    t.post("sys/plugins/reload/backend", json!({"plugin": "other"}))
        .await
        .is(400)
        .error_has("overlap=false");
    assert_eq!(t.info("b").await, before);
}

async fn two_versions(product: Product) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    for mount in ["a", "b"] {
        t.mount(mount, "tp", json!({"config": {"plugin_version": "1.0.0"}}))
            .await
            .ok();
    }
    t
}

fn statuses(data: &Value) -> Vec<&str> {
    let results = data["results"].as_array().unwrap();
    results
        .iter()
        .map(|r| r["status"].as_str().unwrap())
        .collect()
}

async fn a_pin_can_reload_at_once(product: Product) {
    let t = two_versions(product).await;
    let reply = t
        .post(
            "sys/plugins/pins/secret/tp",
            json!({"version": "1.1.0", "reload": true}),
        )
        .await
        .is(200)
        .silent()
        .has("/data/count", 2);
    assert_eq!(statuses(&reply.at("/data")), ["reloaded", "reloaded"]);
    // What a client does next: the old version goes, and nothing minds.
    t.delete("sys/plugins/catalog/secret/tp?version=1.0.0")
        .await
        .ok()
        .silent();
    for mount in ["a", "b"] {
        assert_eq!(t.info(mount).await.version, "v1.1.0");
    }
    // Without the pin, each goes back to its own version, which is gone: both stay, and so does the pin.
    t.delete("sys/plugins/pins/secret/tp?reload=true")
        .await
        .is(400)
        .error_has("plugin not found in the catalog")
        .warns("the pin is v1.1.0 again");
    t.get("sys/plugins/pins/secret/tp")
        .await
        .ok()
        .has("/data/version", "v1.1.0");
    assert_eq!(t.info("a").await.version, "v1.1.0");
}

async fn a_pin_whose_reload_fails_is_put_back(product: Product) {
    let t = two_versions(product).await;
    let broken = json!({"env": [switch::NO_VERSION, switch::SETUP_FAILS]});
    t.register("tp", "2.0.0", "tp2", broken).await.ok();
    let pin = json!({"version": "2.0.0", "reload": true});
    t.post("sys/plugins/pins/secret/tp", pin.clone())
        .await
        .is(400)
        .error_has("fault: Setup fails as told")
        .warns("not pinned, as it was");
    t.get("sys/plugins/pins/secret/tp").await.is(404);
    t.post(
        "sys/plugins/pins/secret/tp",
        json!({"version": "1.1.0", "reload": true}),
    )
    .await
    .ok();
    t.post("sys/plugins/pins/secret/tp", pin)
        .await
        .is(400)
        .warns("the pin is v1.1.0 again");
    t.get("sys/plugins/pins/secret/tp")
        .await
        .ok()
        .has("/data/version", "v1.1.0");
    assert_eq!(t.info("a").await.version, "v1.1.0");
}

async fn a_tuned_version_can_be_reloaded_at_once(product: Product) {
    let t = two_versions(product).await;
    t.post(
        "sys/mounts/a/tune",
        json!({"plugin_version": "1.1.0", "reload": true}),
    )
    .await
    .is(200)
    .silent()
    .has("/data/results/0/to_version", "v1.1.0");
    assert_eq!(t.info("a").await.version, "v1.1.0");
    assert_eq!(t.info("b").await.version, "v1.0.0", "only the tuned mount");
    let broken = json!({"env": [switch::NO_VERSION, switch::EXITS_AT_START]});
    t.register("tp", "2.0.0", "tp2", broken).await.ok();
    t.post(
        "sys/mounts/a/tune",
        json!({"plugin_version": "2.0.0", "reload": true}),
    )
    .await
    .is(400)
    .warns("plugin_version is v1.1.0 again");
    t.get("sys/mounts/a")
        .await
        .ok()
        .has("/data/plugin_version", "v1.1.0");
    until("the mount answers", || async {
        t.get("a/info").await.is_success().then_some(())
    })
    .await;
}
