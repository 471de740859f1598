//! Reload: prepare, gate, fence, staged Initialize, publish, retire. Cases 55, 56, 58, 59, 61-63, 65-68, 82-84, 86, 87, 90.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{
    Expect, Info, Load, Product, Settings, Target, cases, sleep, switch, until, within, wrapped,
};
use serde_json::json;

cases! {
    both:
        case_55_a_reload_needs_exactly_one_selector_and_a_known_scope,
        case_56_a_reload_changes_the_process_and_nothing_else,
        case_58_every_named_mount_is_attempted,
        case_59_reloading_an_unknown_plugin,
        case_61_builtins_and_singletons_can_be_named,
        case_62_a_reload_waits_for_the_request_in_flight_and_the_next_one_waits_for_the_reload,
        case_65_a_wrong_digest_is_refused_and_can_be_mended,
        case_67_a_version_in_use_can_be_deregistered,
        case_68_a_global_reload_on_one_node;
    linchpin:
        case_63_a_request_of_a_sibling_on_the_same_process_is_left_alone,
        case_66_a_version_whose_setup_or_initialize_fails_changes_nothing,
        setup_that_read_stale_config_is_repeated,
        case_83_writes_of_a_failed_initialize_are_dropped,
        old_writer_never_overwrites_newer_value,
        case_86_requests_that_outlast_the_drain_fail_the_reload,
        case_87_force_cancels_them_instead,
        reload_of_200_mounts_ends_with_one_process;
    inspected:
        case_83_writes_of_a_failed_initialize_are_dropped;
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const RELOAD: &str = "sys/plugins/reload/backend";

async fn mounted(product: Product, mounts: &[&str], settings: Settings) -> Target {
    let t = Target::with(product, settings).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in mounts {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    t
}

async fn case_55_a_reload_needs_exactly_one_selector_and_a_known_scope(product: Product) {
    let t = Target::start(product).await;
    for nothing in [json!({}), json!({"mounts": ""}), json!({"mounts": []})] {
        t.post(RELOAD, nothing)
            .await
            .is(400)
            .error_is("plugin or mounts must be provided");
    }
    let both = json!({"plugin": "tp", "mounts": ["m"]});
    t.post(RELOAD, both)
        .await
        .is(400)
        .error_is("plugin and mounts cannot be set at the same time");
    let scope = product.pick(
        "reload scope must be omitted or 'global'",
        "scope must be unset or \"global\"",
    );
    t.post(RELOAD, json!({"plugin": "tp", "scope": "x"}))
        .await
        .is(400)
        .error_is(scope);
}

async fn case_56_a_reload_changes_the_process_and_nothing_else(product: Product) {
    let t = mounted(product, &["m"], Settings::default()).await;
    t.store("m", "key", "kept").await;
    let before = t.get("sys/mounts/m").await.is(200).data();
    for form in [json!("m"), json!("m/"), json!(["m"])] {
        t.remember("m", "lost").await;
        assert_eq!(t.memory("m").await, "lost");
        let old = t.info("m").await;
        let reply = t.post(RELOAD, json!({"mounts": form})).await.is(200);
        assert_eq!(reply.at("/data/reload_id"), reply.at("/request_id"));
        assert_ne!(t.info("m").await.pid, old.pid, "after {form}");
        assert_eq!(t.memory("m").await, "");
        assert_eq!(t.stored("m", "key").await, "kept");
        until("the old process is gone", || async {
            (!t.has_process(old.pid)).then_some(())
        })
        .await;
    }
    assert_eq!(t.get("sys/mounts/m").await.is(200).data(), before);
}

async fn case_58_every_named_mount_is_attempted(product: Product) {
    let t = mounted(product, &["m"], Settings::default()).await;
    let old = t.info("m").await;
    let reply = t
        .post(RELOAD, json!({"mounts": ["nope", "m"]}))
        .await
        .is(400);
    let reply = reply.error_is(&wrapped("cannot fetch mount entry on \"nope/\""));
    assert_ne!(t.info("m").await.pid, old.pid);
    if t.is_ours() {
        let results = reply.at("/data/results");
        let mounts: BTreeSet<&str> = results
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["mount"].as_str().unwrap())
            .collect();
        assert_eq!(mounts, BTreeSet::from(["m/", "nope/"]), "{results}");
    }
}

async fn case_59_reloading_an_unknown_plugin(product: Product) {
    let t = Target::start(product).await;
    if !t.is_ours() {
        t.post(RELOAD, json!({"plugin": "nope"}))
            .await
            .is(400)
            .error_is("plugin not found in the catalog: \"nope\"");
        return;
    }
    let reply = t.post(RELOAD, json!({"plugin": "nope"})).await.is(200);
    assert_eq!(reply.warnings(), ["no plugins were reloaded"]);
    let reply = t
        .post(RELOAD, json!({"plugin": "nope", "scope": "global"}))
        .await
        .is(202);
    assert_eq!(
        reply.warnings(),
        ["no plugins were reloaded locally (but they may be reloaded on other nodes)"]
    );
    let reply = t
        .post("sys/plugins/reload/secret/nope", json!({}))
        .await
        .is(200);
    assert_eq!(reply.warnings(), ["no plugins were reloaded"]);
    t.post("sys/plugins/reload/foo/nope", json!({}))
        .await
        .is(404)
        .error_is(&wrapped("unsupported path"));
}

async fn case_61_builtins_and_singletons_can_be_named(product: Product) {
    let t = Target::start(product).await;
    t.mount("things", "kv", json!({})).await.ok();
    t.post("things/a", json!({"b": "c"})).await.ok();
    t.post(RELOAD, json!({"plugin": "kv"})).await.is(200);
    t.post(RELOAD, json!({"mounts": "sys/"}))
        .await
        .is(product.pick(200, 400));
    t.get("things/a").await.is(200).has("/data/b", "c");
    t.get("sys/mounts").await.is(200);
}

async fn case_62_a_reload_waits_for_the_request_in_flight_and_the_next_one_waits_for_the_reload(
    product: Product,
) {
    let t = mounted(product, &["m"], Settings::default()).await;
    let old = t.info("m").await;
    // One that asks all the time who serves: it meets the old instance, the gate, and the new instance.
    let load = Load::start(
        t.client(),
        1,
        |_, _| Request::new(Method::GET, "m/info"),
        |reply| Info::read(reply).pid.to_string(),
    );
    load.advance(1, Duration::from_secs(30)).await;
    let long = async {
        let reply = t.send(sleep("m", 1.5)).await.is(200);
        (Info::read(&reply).pid, Instant::now())
    };
    let reload = async {
        load.advance(2, Duration::from_secs(30)).await;
        t.reload("m").await.is(200);
        Instant::now()
    };
    let ((long_pid, long_end), reload_end) = tokio::join!(long, reload);
    assert_eq!(
        long_pid, old.pid,
        "the request in flight is answered by the old process"
    );
    assert!(
        reload_end + Duration::from_millis(50) > long_end,
        "the reload returned before the request in flight ended"
    );
    load.advance(5, Duration::from_secs(30)).await;
    let report = load.stop().await;
    report.expect_all_good(1);
    // Once the new process has answered, the old one never does again.
    let new = t.info("m").await.pid.to_string();
    assert_ne!(new, old.pid.to_string());
    let switched = report
        .answers
        .iter()
        .position(|answer| answer.note == new)
        .expect("the new process answers");
    let late = report
        .answers
        .iter()
        .skip(switched)
        .find(|answer| answer.note != new);
    assert!(late.is_none(), "{late:?}");
    let waited = report
        .answers
        .iter()
        .map(|answer| answer.took)
        .max()
        .unwrap();
    assert!(
        waited > Duration::from_millis(200),
        "no request waited at the gate: {waited:?}"
    );
}

async fn case_63_a_request_of_a_sibling_on_the_same_process_is_left_alone(product: Product) {
    let t = mounted(product, &["m", "sibling"], Settings::default()).await;
    let old = t.info("m").await;
    let sibling = t.info("sibling").await;
    assert_eq!(old.pid, sibling.pid);
    let (reply, ()) = tokio::join!(t.send(sleep("sibling", 2.0)), async {
        drop(t.reload("m").await.is(200))
    });
    assert_eq!(Info::read(&reply.is(200)).pid, old.pid);
    assert_eq!(t.info("sibling").await, sibling);
    assert_ne!(t.info("m").await.pid, old.pid);
}

async fn case_65_a_wrong_digest_is_refused_and_can_be_mended(product: Product) {
    let t = mounted(product, &["m"], Settings::default()).await;
    let old = t.info("m").await;
    t.register("tp", "1.0.0", "tp1", json!({"sha256": ZEROS}))
        .await
        .ok();
    let reply = t
        .reload("m")
        .await
        .is(400)
        .error_has("cannot reload plugin on \"m/\"")
        .error_has("checksums did not match");
    if t.is_ours() {
        assert!(!reply.at("/data/reload_id").is_null());
        let result = reply.at("/data/results/0");
        assert_eq!(result["mount"], "m/");
        assert!(
            result["error"]
                .as_str()
                .unwrap()
                .contains("checksums did not match"),
            "{result}"
        );
        assert!(
            reply.errors().iter().all(|error| !error.contains("LP")),
            "{:?}",
            reply.errors()
        );
        assert_eq!(t.info("m").await, old);
    }
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.reload("m").await.is(200);
    assert_ne!(t.info("m").await.pid, old.pid);
}

async fn case_66_a_version_whose_setup_or_initialize_fails_changes_nothing(product: Product) {
    let t = mounted(product, &["m"], Settings::default()).await;
    t.store("m", "key", "kept").await;
    let old = t.info("m").await;
    let mount = t.get("sys/mounts/m").await.is(200).data();
    for fault in [switch::SETUP_FAILS, switch::INITIALIZE_FAILS] {
        t.register("tp", "1.0.0", "tp1", json!({"env": [fault]}))
            .await
            .ok();
        let reply = t
            .reload("m")
            .await
            .is(400)
            .error_has("cannot reload plugin on \"m/\"");
        assert_eq!(reply.at("/data/results/0/mount"), "m/");
        assert_eq!(t.info("m").await, old, "{fault}");
        assert_eq!(t.get("sys/mounts/m").await.is(200).data(), mount);
        until("only the old process is left", || async {
            (t.plugin_pids() == [old.pid]).then_some(())
        })
        .await;
    }
    assert_eq!(t.stored("m", "key").await, "kept");
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.reload("m").await.is(200);
}

async fn case_67_a_version_in_use_can_be_deregistered(product: Product) {
    let t = mounted(product, &["m"], Settings::default()).await;
    let old = t.info("m").await;
    let reply = t
        .delete("sys/plugins/catalog/secret/tp?version=1.0.0")
        .await
        .ok();
    if t.is_ours() {
        reply.is(200).warns("m/");
    }
    assert_eq!(t.info("m").await, old);
    let text = "plugin not found in the catalog: tp, version=v1.0.0";
    t.reload("m").await.is(400).error_has(text);
    if t.is_ours() {
        assert_eq!(t.info("m").await, old);
    }
}

async fn case_68_a_global_reload_on_one_node(product: Product) {
    let t = mounted(product, &["m"], Settings::default()).await;
    let old = t.info("m").await;
    let reply = t
        .post(RELOAD, json!({"mounts": ["m"], "scope": "global"}))
        .await
        .is(product.pick(202, 200));
    assert_ne!(t.info("m").await.pid, old.pid);
    if t.is_ours() {
        let id = reply.at("/data/reload_id");
        let status = format!("{RELOAD}/status?reload_id={}", id.as_str().unwrap());
        let reply = t.get(&status).await.is(200).has("/data/reload_id", id);
        let results = reply.at("/data/results");
        let results: Vec<_> = results.as_object().unwrap().values().collect();
        assert_eq!(results.len(), 1, "{results:?}");
        assert_eq!(results[0]["error"], "");
        assert!(
            results[0]["timestamp"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z')),
            "{results:?}"
        );
        t.get(&format!(
            "{RELOAD}/status?reload_id=00000000-0000-0000-0000-000000000000"
        ))
        .await
        .is(404);
        t.get(&format!("{RELOAD}/status")).await.is(400);
    }
}

/// Case 82.
async fn setup_that_read_stale_config_is_repeated(product: Product) {
    stale_setup(product, Settings::default()).await;
}

pub(crate) async fn stale_setup(product: Product, settings: Settings) {
    let t = mounted(product, &["m"], settings).await;
    t.post("m/config", json!({"value": "old"})).await.ok();
    t.register("tp", "1.1.0", "tp2", json!({"env": [switch::SETUP_WAITS]}))
        .await
        .ok();
    t.post("sys/mounts/m/tune", json!({"plugin_version": "1.1.0"}))
        .await
        .ok();
    let old = t.info("m").await;
    // Setup reads `config` soon after its process is there and then waits for two seconds. Writes go on for the first of them, each with a
    // value of its own, so that some come after the read; none comes after the switch, where it would reach the new instance by itself.
    let write = async {
        until("the new process is there", || async {
            (t.plugin_pids().len() == 2).then_some(())
        })
        .await;
        let (begin, mut last) = (Instant::now(), String::new());
        while begin.elapsed() < Duration::from_millis(1200) {
            last = format!("new after {} ms", begin.elapsed().as_millis());
            t.post("m/config", json!({"value": last})).await.ok();
            assert_eq!(t.info("m").await, old, "the old instance still serves");
        }
        last
    };
    let (reply, last) = tokio::join!(t.reload("m"), write);
    reply.is(200);
    assert_eq!(t.info("m").await.version, "v1.1.0");
    t.get("m/config")
        .await
        .is(200)
        .has("/data/value", last.as_str());
}

async fn case_83_writes_of_a_failed_initialize_are_dropped(product: Product) {
    let settings = match product {
        Product::Mutant => Settings::default().with_store_dump(),
        _ => Settings::default(),
    };
    failed_initialize(product, settings).await;
}

pub(crate) async fn failed_initialize(product: Product, settings: Settings) {
    let t = mounted(product, &["m"], settings).await;
    for key in ["a", "b"] {
        t.store("m", key, "before").await;
    }
    let old = t.info("m").await;
    let keys = t.list("m/kv").await.is(200).at("/data/keys");
    t.register(
        "tp",
        "1.1.0",
        "tp2",
        json!({"env": [switch::INITIALIZE_WRITES_AND_FAILS]}),
    )
    .await
    .ok();
    t.post("sys/mounts/m/tune", json!({"plugin_version": "1.1.0"}))
        .await
        .ok();
    let store = match product {
        Product::Mutant => Some(t.server().store().await),
        _ => None,
    };
    let reply = t.reload("m").await.is(400);
    if let Some(before) = store {
        // The record of the attempt is all that there is of it.
        let after = t.server().store().await;
        let id = reply.at("/data/reload_id");
        let record = format!("core/linchpin/reloads/{}", id.as_str().unwrap());
        assert_eq!(
            before.differences(&after),
            BTreeSet::from([record.as_str()])
        );
    }
    assert_eq!(t.info("m").await, old);
    assert_eq!(t.list("m/kv").await.is(200).at("/data/keys"), keys);
    assert_eq!(t.stored("m", "a").await, "before");
    until("only the old process is left", || async {
        (t.plugin_pids() == [old.pid]).then_some(())
    })
    .await;
}

/// Case 84.
async fn old_writer_never_overwrites_newer_value(product: Product) {
    old_writer(product, Settings::default()).await;
}

pub(crate) async fn old_writer(product: Product, settings: Settings) {
    const RELOADS: usize = 20;
    // Its Cleanup does not end, so that a replaced instance goes on writing until it is given up.
    let settings = settings.set("plugin_cleanup_timeout", "300ms");
    let t = Target::with(product, settings).await;
    t.register(
        "tp",
        "1.0.0",
        "tp1",
        json!({"env": [switch::WRITES_IN_BACKGROUND, switch::CLEANUP_HANGS]}),
    )
    .await
    .ok();
    t.mount("m", "tp", json!({})).await.ok();
    let load = Load::start(
        t.client(),
        2,
        |_, _| Request::new(Method::GET, "m/kv/background"),
        |reply| {
            reply
                .at("/data/value")
                .as_str()
                .unwrap_or_default()
                .to_owned()
        },
    );
    for _ in 0..RELOADS {
        t.reload("m").await.is(200);
        load.advance(20, Duration::from_secs(30)).await;
    }
    let report = load.stop().await;
    // A value is "<pid>/<instance>/<counter>". One connection's reads follow each other, so what it sees must never go back.
    for connection in 0..2 {
        let mut seen: Vec<String> = Vec::new();
        for answer in report
            .answers
            .iter()
            .filter(|answer| answer.connection == connection && answer.is_success())
        {
            let writer = answer
                .note
                .rsplit_once('/')
                .map(|(writer, _)| writer.to_owned())
                .unwrap_or_default();
            if seen.last() != Some(&writer) {
                assert!(
                    !seen.contains(&writer),
                    "{writer} wrote again after {seen:?}"
                );
                seen.push(writer);
            }
        }
        assert!(
            seen.len() > RELOADS / 2,
            "only {} generations were seen to write",
            seen.len()
        );
    }
}

/// A drain of one second, in attempts of a fifth of one.
fn short_drain() -> Settings {
    Settings::default()
        .set("drain_timeout", "1s")
        .set("gate_timeout", "200ms")
}

async fn case_86_requests_that_outlast_the_drain_fail_the_reload(product: Product) {
    let t = mounted(product, &["m"], short_drain()).await;
    let old = t.info("m").await;
    let mount = t.get("sys/mounts/m").await.is(200).data();
    let load = Load::start(
        t.client(),
        2,
        |_, _| Request::new(Method::GET, "m/info"),
        |reply| Info::read(reply).pid.to_string(),
    );
    let reload = async {
        load.advance(4, Duration::from_secs(30)).await;
        let reply = t
            .reload("m")
            .await
            .is(400)
            .error_has("2 requests still running, the oldest for");
        reply.error_has("cannot reload plugin on \"m/\"")
    };
    let (first, second, _) = tokio::join!(t.send(sleep("m", 4.0)), t.send(sleep("m", 4.0)), reload);
    for reply in [first, second] {
        assert_eq!(Info::read(&reply.is(200)).pid, old.pid);
    }
    load.stop().await.expect_all_good(4);
    assert_eq!(t.info("m").await, old);
    assert_eq!(t.get("sys/mounts/m").await.is(200).data(), mount);
    until("only the old process is left", || async {
        (t.plugin_pids() == [old.pid]).then_some(())
    })
    .await;
}

async fn case_87_force_cancels_them_instead(product: Product) {
    let t = mounted(product, &["m"], short_drain()).await;
    let old = t.info("m").await;
    let load = Load::start(
        t.client(),
        2,
        |_, _| Request::new(Method::GET, "m/info"),
        |reply| Info::read(reply).pid.to_string(),
    );
    let reload = async {
        load.advance(4, Duration::from_secs(30)).await;
        let reply = t
            .post(RELOAD, json!({"mounts": ["m"], "force": true}))
            .await
            .is(200);
        reply.has("/data/results/0/cancelled", 2)
    };
    let (first, second, _) =
        tokio::join!(t.send(sleep("m", 20.0)), t.send(sleep("m", 20.0)), reload);
    for reply in [first, second] {
        assert!(reply.status() >= 400, "{reply:?}");
    }
    load.stop().await.expect_all_good(4);
    assert_ne!(t.info("m").await.pid, old.pid);
}

/// Case 90.
async fn reload_of_200_mounts_ends_with_one_process(product: Product) {
    const MOUNTS: usize = 200;
    let surge = 2 * std::thread::available_parallelism().unwrap().get();
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for number in 0..MOUNTS {
        t.mount(&format!("m{number}"), "tp", json!({})).await.ok();
    }
    let old = t.info("m0").await;
    assert_eq!(t.plugin_pids(), [old.pid]);
    let mut most = 0;
    for number in 0..MOUNTS {
        t.reload(&format!("m{number}")).await.is(200);
        most = most.max(t.plugin_pids().len());
    }
    assert!(most <= surge + 1, "{most} processes at a time");
    let last = within(Duration::from_secs(30), "one process is left", || async {
        let pids = t.plugin_pids();
        (pids.len() == 1).then(|| pids[0])
    });
    let last = last.await;
    assert_ne!(last, old.pid);
    for number in [0, MOUNTS / 2, MOUNTS - 1] {
        assert_eq!(t.info(&format!("m{number}")).await.pid, last);
    }
}
