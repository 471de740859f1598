//! Upgrades to versions that are broken, each in its own way: the error names the cause, no request fails, the old version serves on, and nothing
//! of the attempt is left. And clients that go away.

use std::time::Duration;

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{
    Expect, Info, Load, Process, Product, Settings, Store, Target, cases, sleep, switch, until,
};
use serde_json::{Value, json};

cases! {
    linchpin:
        a_version_that_exits_at_start_changes_nothing,
        a_version_that_hangs_at_start_changes_nothing,
        a_version_with_the_wrong_digest_changes_nothing,
        a_version_whose_file_is_missing_changes_nothing,
        a_version_that_reports_another_one_changes_nothing,
        a_version_whose_setup_fails_changes_nothing,
        a_version_whose_initialize_fails_after_three_writes_changes_nothing,
        request_outlives_its_client;
    inspected:
        a_version_that_exits_at_start_changes_nothing,
        a_version_that_hangs_at_start_changes_nothing,
        a_version_with_the_wrong_digest_changes_nothing,
        a_version_whose_file_is_missing_changes_nothing,
        a_version_that_reports_another_one_changes_nothing,
        a_version_whose_setup_fails_changes_nothing,
        a_version_whose_initialize_fails_after_three_writes_changes_nothing;
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Below it every reload leaves a record of what became of it.
const RELOADS: &str = "core/linchpin/reloads/";

async fn a_version_that_exits_at_start_changes_nothing(product: Product) {
    // The exit status, and the last line that it wrote to standard error.
    let entry = |_: &Target| json!({"env": [switch::EXITS_AT_START]});
    check(product, entry, &["3", "exiting at start as told"]).await;
}

async fn a_version_that_hangs_at_start_changes_nothing(product: Product) {
    let entry = |_: &Target| json!({"env": [switch::HANGS_AT_START]});
    check(product, entry, &["handshake"]).await;
}

async fn a_version_with_the_wrong_digest_changes_nothing(product: Product) {
    let entry = |_: &Target| json!({"sha256": ZEROS});
    check(product, entry, &["checksums did not match", "next", ZEROS]).await;
}

async fn a_version_whose_file_is_missing_changes_nothing(product: Product) {
    let entry = |_: &Target| json!({"env": [switch::NO_VERSION], "then": "remove"});
    check(product, entry, &["no such file or directory", "next"]).await;
}

async fn a_version_that_reports_another_one_changes_nothing(product: Product) {
    // Registered while the file was no plugin that could be asked; what lies there at the start reports v1.0.0.
    let entry = |t: &Target| json!({"sha256": t.digest("tp1"), "first": "plain", "then": "tp1"});
    check(
        product,
        entry,
        &["plugin version mismatch", "v1.0.0", "v1.1.0"],
    )
    .await;
}

async fn a_version_whose_setup_fails_changes_nothing(product: Product) {
    let entry = |_: &Target| json!({"env": [switch::SETUP_FAILS]});
    check(product, entry, &["Setup fails as told"]).await;
}

async fn a_version_whose_initialize_fails_after_three_writes_changes_nothing(product: Product) {
    let entry = |_: &Target| json!({"env": [switch::INITIALIZE_WRITES_AND_FAILS]});
    check(product, entry, &["Initialize fails as told"]).await;
}

/// What must be as it was.
#[derive(Debug, PartialEq)]
struct World {
    info: Info,
    mount: Value,
    stored: Vec<(String, Value)>,
    processes: Vec<u32>,
    files: Vec<std::path::PathBuf>,
    /// Every byte that is stored, the records of reloads excepted. Of a server that can show it.
    store: Option<Store>,
}

async fn world(t: &Target) -> World {
    let keys = t.list("m/kv").await.is(200).at("/data/keys");
    let mut stored = Vec::new();
    for key in keys.as_array().unwrap() {
        let key = key.as_str().unwrap();
        stored.push((key.to_owned(), t.stored("m", key).await));
    }
    let store = match t.product() {
        Product::Mutant => Some(t.server().store().await.without(RELOADS)),
        _ => None,
    };
    World {
        store,
        info: t.info("m").await,
        mount: t.get("sys/mounts/m").await.is(200).data(),
        stored,
        processes: t.plugin_pids(),
        files: t.server().temporary_files(),
    }
}

/// Rolls out version 1.1.0 as `entry` describes it (fields of a registration; `first` and `then` are files put there before and after it)
/// and expects nothing but an error with `causes`.
async fn check(product: Product, entry: impl Fn(&Target) -> Value, causes: &[&str]) {
    let settings = Settings::default()
        .set("plugin_start_timeout", "3s")
        .set("plugin_initialize_timeout", "3s");
    let settings = match product {
        Product::Mutant => settings.with_store_dump(),
        _ => settings,
    };
    let t = Target::with(product, settings).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.mount("m", "tp", json!({})).await.ok();
    for key in ["a", "b", "c"] {
        t.store("m", key, &format!("value of {key}")).await;
    }

    let mut fields = entry(&t);
    let mut take = |name: &str| fields.as_object_mut().unwrap().remove(name);
    match take("first") {
        Some(_) => drop(t.plugins().write("next", b"no plugin")),
        None => drop(
            t.plugins()
                .install("next", &linchpin_testkit::binary("fault-v2")),
        ),
    }
    let then = take("then");
    t.register("tp", "1.1.0", "next", fields).await.ok();
    match then.as_ref().and_then(Value::as_str) {
        Some("remove") => t.plugins().remove("next"),
        Some(_) => drop(
            t.plugins()
                .install("next", &linchpin_testkit::binary("fault-v1")),
        ),
        None => {}
    }
    t.post("sys/plugins/pins/secret/tp", json!({"version": "1.1.0"}))
        .await
        .is(200);
    until("the registration has left nothing", || async {
        (t.plugin_pids().len() == 1).then_some(())
    })
    .await;
    let before = world(&t).await;
    let descriptors = Process::descriptors(t.server().pid()).len();

    let load = Load::start(
        t.client(),
        4,
        |_, _| Request::new(Method::GET, "m/kv/a"),
        |_| String::new(),
    );
    load.advance(20, Duration::from_secs(30)).await;
    let mut reply = t
        .post("sys/plugins/reload/secret/tp", json!({}))
        .await
        .is(400);
    for cause in causes {
        reply = reply.error_has(cause);
    }
    reply.has("/data/results/0/mount", "m/");
    load.advance(20, Duration::from_secs(30)).await;
    load.stop().await.expect_all_good(40);

    until("the attempt has left no process", || async {
        (t.plugin_pids() == before.processes).then_some(())
    })
    .await;
    until("the attempt has left no file", || async {
        (t.server().temporary_files() == before.files).then_some(())
    })
    .await;
    let after = world(&t).await;
    if let (Some(before), Some(after)) = (&before.store, &after.store) {
        let changed = before.differences(after);
        assert!(changed.is_empty(), "what is stored changed: {changed:?}");
    }
    assert_eq!(after, before);
    // The load's own connections are closed a moment after their clients are gone.
    until("the attempt has left no descriptor", || async {
        (Process::descriptors(t.server().pid()).len() <= descriptors).then_some(())
    })
    .await;
}

/// Clients that hang up in the middle of a request cancel it; they leave no ticket at the gate, no stream that counts against the
/// plugin's connection, and no broken process.
async fn request_outlives_its_client(product: Product) {
    const CLIENTS: usize = 100;
    let t = Target::with(product, Settings::default().set("drain_timeout", "10s")).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.mount("m", "tp", json!({})).await.ok();
    let before = t.info("m").await;
    for _ in 0..CLIENTS {
        let mut connection = t.client().connect().await.unwrap();
        let exchange = connection.send(sleep("m", 3.0), t.client().token());
        // The request is at the server when another one, sent after it, has been answered.
        tokio::select! {
            reply = exchange => panic!("it was answered too soon: {reply:?}"),
            info = t.info("m") => assert_eq!(info, before),
        }
    }
    assert_eq!(t.info("m").await, before, "the same process serves");
    let reply = t.reload("m").await.is(200);
    let cancelled = reply.at("/data/results/0/cancelled");
    assert!(
        cancelled.is_null() || cancelled == 0,
        "requests of clients that are gone were still counted: {cancelled}"
    );
    assert_ne!(t.info("m").await.pid, before.pid);
}
