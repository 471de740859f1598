//! Where a reload and a failed start are better than in the servers that this one replaces: plugin-lifecycle §11, each item against both.

use linchpin_testkit::{Expect, Process, Product, Target, cases, sleep, switch, until};
use serde_json::json;

cases! {
    both:
        better_01_a_failed_reload_leaves_the_mount_serving,
        better_02_a_reload_of_one_mount_leaves_its_siblings_requests_alone,
        better_06_a_reload_says_what_became_of_each_mount,
        better_10_storage_can_be_written_right_after_every_reload,
        better_11_a_file_that_comes_back_needs_no_call,
        better_15_a_failed_start_says_how_the_process_ended_and_what_it_wrote;
}

/// `a` and `b` run v1.0.0 of `tp` in one process.
async fn mounted(product: Product) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in ["a", "b"] {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    t
}

async fn better_01_a_failed_reload_leaves_the_mount_serving(product: Product) {
    let t = mounted(product).await;
    let before = t.info("a").await;
    let broken = json!({"env": [switch::NO_VERSION, switch::SETUP_FAILS]});
    t.register("tp", "2.0.0", "tp2", broken).await.ok();
    t.post("sys/mounts/a/tune", json!({"plugin_version": "2.0.0"}))
        .await
        .ok();
    t.reload("a")
        .await
        .is(400)
        .error_has("fault: Setup fails as told");
    if t.is_ours() {
        assert_eq!(t.info("a").await, before);
        t.get("sys/mounts/a")
            .await
            .ok()
            .has("/data/running_plugin_version", "v1.0.0");
    } else {
        t.get("a/info").await.is(404).error_has("backend is nil");
    }
}

async fn better_02_a_reload_of_one_mount_leaves_its_siblings_requests_alone(product: Product) {
    let t = mounted(product).await;
    let pid = t.info("b").await.pid;
    // In this order: the request is on its way before the reload is asked for.
    let (answer, _) = tokio::join!(t.send(sleep("b", 2.0)), async { t.reload("a").await.ok() });
    if t.is_ours() {
        answer.ok().has("/data/pid", pid);
        assert_eq!(t.info("b").await.pid, pid);
    } else {
        answer.is(500);
    }
}

async fn better_06_a_reload_says_what_became_of_each_mount(product: Product) {
    let t = mounted(product).await;
    let reply = t
        .post(
            "sys/plugins/reload/backend",
            json!({"mounts": ["a", "b", "nope"]}),
        )
        .await;
    let results = reply.at("/data/results");
    if !t.is_ours() {
        assert!(results.is_null(), "{results}");
        return;
    }
    reply
        .is(400)
        .error_has("cannot fetch mount entry on \"nope/\"")
        .has("/data/count", 2);
    let rows = results.as_array().unwrap();
    let status = |mount: &str| {
        let row = rows.iter().find(|row| row["mount"] == mount);
        row.map(|row| row["status"].as_str().unwrap().to_owned())
    };
    for (mount, expected) in [("a/", "reloaded"), ("b/", "reloaded"), ("nope/", "failed")] {
        assert_eq!(status(mount).as_deref(), Some(expected), "{results}");
    }
    for row in rows.iter().filter(|row| row["status"] == "reloaded") {
        assert_eq!(row["to_version"], "v1.0.0");
        assert_eq!(row["to_sha256"], t.digest("tp1"));
        assert!(row["milliseconds"].is_number());
    }
    // What cannot be reloaded is said, not passed over in silence.
    t.post("sys/plugins/reload/backend", json!({"mounts": "sys/"}))
        .await
        .ok()
        .warns("sys/")
        .has("/data/results/0/status", "skipped");
}

async fn better_10_storage_can_be_written_right_after_every_reload(product: Product) {
    let t = mounted(product).await;
    for round in 0..5 {
        let value = format!("round {round}");
        if t.is_ours() {
            let body = json!({"plugin": "tp", "scope": "global"});
            t.post("sys/plugins/reload/backend", body).await.ok();
        } else {
            t.reload("a").await.ok();
        }
        t.store("a", "key", &value).await;
        assert_eq!(t.stored("a", "key").await, value);
    }
}

async fn better_11_a_file_that_comes_back_needs_no_call(product: Product) {
    let t = mounted(product).await;
    t.plugins().remove("tp1");
    t.reload("a").await.is(400).error_has("no such file");
    t.plugins()
        .install("tp1", &linchpin_testkit::binary("fault-v1"));
    if t.is_ours() {
        // It has never stopped serving, and a crash costs nothing either while the file is away.
        t.info("a").await;
        t.plugins().remove("tp1");
        let old = t.info("a").await;
        Process::kill(old.pid);
        until("it runs again", || async {
            let reply = t.get("a/info").await;
            (reply.is_success() && reply.at("/data/pid") != old.pid).then_some(())
        })
        .await;
    } else {
        t.get("a/info").await.is(404).error_has("backend is nil");
    }
}

async fn better_15_a_failed_start_says_how_the_process_ended_and_what_it_wrote(product: Product) {
    let t = Target::start(product).await;
    let broken = json!({"env": [switch::NO_VERSION, switch::EXITS_AT_START]});
    t.register("tp", "1.0.0", "tp1", broken).await.ok();
    let reply = t.mount("m", "tp", json!({})).await.is(400);
    let text = reply.errors().concat();
    let says = ["status 3", "exiting at start as told", "tp1"].map(|word| text.contains(word));
    if t.is_ours() {
        assert_eq!(says, [true; 3], "{text}");
    } else {
        assert!(!says[1], "{text}");
    }
}
