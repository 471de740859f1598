//! What an operator sees: instances, status, logs, metrics.

use linchpin_testkit::{Expect, Process, Product, Target, cases, switch, until};
use serde_json::{Value, json};

cases! {
    linchpin:
        better_16_instances_say_what_runs_where,
        better_09_status_says_what_a_reload_would_change,
        the_last_lines_of_a_plugin_can_be_read,
        metrics_count_requests_reloads_and_crashes;
}

async fn mounted(product: Product, mounts: &[&str]) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in mounts {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    t
}

async fn metrics(t: &Target) -> String {
    let reply = t.get("sys/metrics?format=prometheus").await.ok();
    String::from_utf8_lossy(reply.body()).into_owned()
}

async fn instances(t: &Target) -> Vec<Value> {
    let reply = t.get("sys/plugins/instances").await.ok();
    reply.at("/data/instances").as_array().unwrap().clone()
}

async fn better_16_instances_say_what_runs_where(product: Product) {
    let t = mounted(product, &["a", "b"]).await;
    let (listed, info) = (instances(&t).await, t.info("a").await);
    assert_eq!(listed.len(), 2);
    for (row, mount) in listed.iter().zip(["a/", "b/"]) {
        assert_eq!(row["mount"], mount);
        assert_eq!(row["pid"], info.pid);
        assert_eq!(row["version"], "v1.0.0");
        assert_eq!(row["sha256"], t.digest("tp1"));
        assert_eq!(
            (&row["state"], &row["restarts"]),
            (&json!("running"), &json!(0))
        );
        assert_eq!(
            (&row["multiplexed"], &row["verified"]),
            (&json!(true), &json!("at execution"))
        );
        assert!(row["memory_bytes"].as_u64().unwrap() > 100_000, "{row}");
        assert!(row["cpu_seconds"].is_number(), "{row}");
        assert!(row["handshake_ms"].is_number() && row["started"].as_str().unwrap().ends_with('Z'));
    }
    Process::kill(info.pid);
    let row = until("it runs again", || async {
        let row = instances(&t).await.swap_remove(0);
        (row["restarts"] == 1 && row["state"] == "running").then_some(row)
    })
    .await;
    assert_ne!(row["pid"], info.pid);
    assert!(
        row["last_error"].as_str().unwrap().contains("signal"),
        "{row}"
    );
}

async fn better_09_status_says_what_a_reload_would_change(product: Product) {
    let t = mounted(product, &["a"]).await;
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    let of_tp = |reply: Value| {
        let plugins = reply["plugins"].as_array().unwrap().clone();
        plugins.into_iter().find(|p| p["name"] == "tp").unwrap()
    };
    let status = || async { of_tp(t.get("sys/plugins/status").await.ok().at("/data")) };
    let seen = status().await;
    assert_eq!(seen["versions"], json!(["v1.0.0", "v1.1.0"]));
    assert_eq!(seen["pinned_version"], "");
    assert_eq!(seen["mounts"][0]["pending"], false);
    t.post("sys/plugins/pins/secret/tp", json!({"version": "1.1.0"}))
        .await
        .ok();
    let seen = status().await;
    let mount = &seen["mounts"][0];
    assert_eq!(seen["pinned_version"], "v1.1.0");
    assert_eq!(
        (
            &mount["desired_version"],
            &mount["running_version"],
            &mount["pending"]
        ),
        (&json!("v1.1.0"), &json!("v1.0.0"), &json!(true))
    );
    t.post("sys/plugins/reload/backend", json!({"plugin": "tp"}))
        .await
        .ok();
    let seen = status().await;
    assert_eq!(seen["mounts"][0]["running_version"], "v1.1.0");
    assert_eq!(seen["mounts"][0]["pending"], false);
    let started = seen["totals"].as_array().unwrap().iter();
    assert!(
        started.map(|t| t["starts"].as_u64().unwrap()).sum::<u64>() >= 2,
        "{seen}"
    );
}

async fn the_last_lines_of_a_plugin_can_be_read(product: Product) {
    let t = Target::start(product).await;
    t.get("sys/plugins/logs/secret/tp").await.is(404);
    t.register("tp", "1.0.0", "tp1", json!({"env": ["FAULT_STDERR=3"]}))
        .await
        .ok();
    t.mount("m", "tp", json!({})).await.ok();
    let lines = until("its lines are there", || async {
        let reply = t.get("sys/plugins/logs/secret/tp?version=1.0.0").await.ok();
        let lines = reply.at("/data/lines").as_array().unwrap().clone();
        let wanted = lines
            .iter()
            .any(|l| l["message"].as_str().unwrap().contains("line 2 as told"));
        wanted.then_some(lines)
    })
    .await;
    assert!(lines.iter().all(|l| l["version"] == "v1.0.0"), "{lines:?}");
    assert!(lines.iter().any(|l| l["level"] == "warn"), "{lines:?}");
    let one = t.get("sys/plugins/logs/secret/tp?limit=1").await.ok();
    assert_eq!(one.at("/data/lines").as_array().unwrap().len(), 1);
    // Of a start that failed, too: registered at once, it was run once.
    let broken = json!({"env": [switch::NO_VERSION, switch::EXITS_AT_START]});
    t.register("broken", "1.0.0", "tp1", broken).await.ok();
    until("the line of the failed start is there", || async {
        let reply = t.get("sys/plugins/logs/secret/broken").await.ok();
        reply
            .at("/data/lines")
            .to_string()
            .contains("exiting at start")
            .then_some(())
    })
    .await;
}

async fn metrics_count_requests_reloads_and_crashes(product: Product) {
    let t = mounted(product, &["m"]).await;
    for _ in 0..3 {
        t.get("m/info").await.ok();
    }
    t.get("m/error/bad-request").await.is(400);
    t.post("sys/plugins/reload/backend", json!({"mounts": "m"}))
        .await
        .ok();
    let pid = t.info("m").await.pid;
    Process::kill(pid);
    until("the crash is counted", || async {
        metrics(&t)
            .await
            .contains(
                "linchpin_plugin_crashes_total{type=\"secret\",plugin=\"tp\",version=\"v1.0.0\"} 1",
            )
            .then_some(())
    })
    .await;
    let text = metrics(&t).await;
    for line in [
        "linchpin_mount_requests_total{mount=\"m/\",type=\"secret\",plugin=\"tp\",outcome=\"ok\"} 4",
        "linchpin_mount_requests_total{mount=\"m/\",type=\"secret\",plugin=\"tp\",outcome=\"refused\"} 1",
        "linchpin_mount_reloads_total{mount=\"m/\",type=\"secret\",plugin=\"tp\",outcome=\"reloaded\"} 1",
        "linchpin_mount_request_duration_seconds_count{mount=\"m/\",type=\"secret\",plugin=\"tp\"} 5",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    let json = t.get("sys/metrics").await;
    assert!(!json.at("/Counters").as_array().unwrap().is_empty());
    t.get("sys/metrics?format=x").await.is(400);
}
