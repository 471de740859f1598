//! Where Linchpin is better than what it replaces (plugin-lifecycle §11), as far as it concerns catalog, pins, tune and configuration. The same
//! scenario runs against OpenBao and is expected to go wrong there: so it is a scenario that can go wrong.

use std::time::Duration;

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{Expect, Product, Settings, Signal, Target, cases, switch, until};
use serde_json::json;
use tokio::time::timeout;

cases! {
    both:
        better_03_a_mount_whose_initialize_fails_is_not_there,
        better_04_a_plugin_that_hangs_does_not_freeze_the_catalog,
        better_05_a_plugin_whose_setup_fails_leaves_no_process,
        better_07_the_root_of_the_catalog_can_be_listed,
        better_08_a_plugin_with_one_version_is_found_without_naming_it,
        better_09_a_tuned_version_says_that_it_waits_for_a_reload,
        better_12_a_wrong_digest_is_told_at_registration,
        better_13_a_delete_says_what_it_did_not_remove,
        better_13_a_delete_names_the_mounts_that_run_on,
        better_17_a_refused_tune_changes_nothing,
        better_17_an_overwrite_says_who_runs_the_old_entry,
        better_18_names_of_mounts_may_be_separated_by_commas,
        better_19_a_mistake_of_the_caller_is_no_failure_of_the_server;
    linchpin:
        better_09_a_pin_names_the_mounts_that_wait_for_a_reload,
        better_14_the_plugin_directory_may_be_a_link,
        better_17_a_version_can_be_kept_from_changing;
}

const TP: &str = "sys/plugins/catalog/secret/tp";
const PIN: &str = "sys/plugins/pins/secret/tp";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

async fn with_two_versions(product: Product) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t
}

async fn better_03_a_mount_whose_initialize_fails_is_not_there(product: Product) {
    let t = Target::start(product).await;
    let entry = json!({"env": [switch::INITIALIZE_WRITES_AND_FAILS]});
    t.register("tp", "1.0.0", "tp1", entry).await.ok();
    t.mount("m", "tp", json!({})).await.is(400);
    // There it stays, and must be disabled by hand.
    t.get("sys/mounts/m").await.is(product.pick(400, 200));
    if t.is_ours() {
        t.get("m/info").await.is(404);
        // Its path is free again, at once.
        t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
        t.mount("m", "tp", json!({})).await.ok();
        assert_eq!(
            t.list("m/kv").await.is(404).data(),
            json!(null),
            "nothing of the first one is left"
        );
    }
}

async fn better_04_a_plugin_that_hangs_does_not_freeze_the_catalog(product: Product) {
    let mut t = Target::start(product).await;
    {
        let entry = json!({"env": [switch::HANGS_AT_START]});
        let register = t.register("hung", "1.0.0", "tp1", entry);
        let others = async {
            until("the process hangs", || async {
                (!t.plugin_pids().is_empty()).then_some(())
            })
            .await;
            let limit = Duration::from_secs(3);
            let read = timeout(limit, t.get("sys/plugins/catalog/secret/kv")).await;
            let mount = timeout(limit, t.mount("things", "kv", json!({}))).await;
            (read.is_ok(), mount.is_ok())
        };
        tokio::select! {
            reply = register => panic!("the registration did not wait: {reply:?}"),
            answered = others => assert_eq!(answered, product.pick((true, true), (false, false))),
        }
    }
    // It would wait for the plugin, too.
    t.server_mut().stop(Signal::KILL);
}

async fn better_05_a_plugin_whose_setup_fails_leaves_no_process(product: Product) {
    let t = Target::start(product).await;
    let entry = json!({"env": [switch::SETUP_FAILS]});
    t.register("tp", "1.0.0", "tp1", entry).await.ok();
    t.mount("m", "tp", json!({})).await.is(400);
    if t.is_ours() {
        until("no process is left", || async {
            t.plugin_pids().is_empty().then_some(())
        })
        .await;
    } else {
        // The process of an attempt stays, for as long as it likes.
        assert_ne!(t.plugin_pids(), [0_u32; 0]);
    }
}

async fn better_07_the_root_of_the_catalog_can_be_listed(product: Product) {
    let t = with_two_versions(product).await;
    let reply = t
        .list("sys/plugins/catalog")
        .await
        .is(product.pick(200, 405));
    if t.is_ours() {
        let read = t.get("sys/plugins/catalog").await.is(200);
        assert_eq!(reply.at("/data/detailed"), read.at("/data/detailed"));
        assert_eq!(reply.at("/data/secret"), read.at("/data/secret"));
        // What can be listed further.
        reply.has("/data/keys", json!(["secret/"]));
        t.get("sys/plugins/catalog?list=true")
            .await
            .is(200)
            .has("/data/keys", json!(["secret/"]));
    }
    // A word that is no type is the name of a plugin there, and a name has no list.
    t.list("sys/plugins/catalog/secrets").await.is(405);
}

async fn better_08_a_plugin_with_one_version_is_found_without_naming_it(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    let reply = t.get(TP).await.is(product.pick(200, 404));
    if t.is_ours() {
        reply
            .has("/data/version", "v1.0.0")
            .warns("the only one registered");
    }
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    let reply = t.get(TP).await.is(product.pick(400, 404));
    if t.is_ours() {
        reply.error_has("Available versions: v1.0.0, v1.1.0");
    }
}

async fn better_09_a_tuned_version_says_that_it_waits_for_a_reload(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    let body = json!({"plugin_version": "1.1.0"});
    let reply = t.post("sys/mounts/m/tune", body).await.ok();
    if t.is_ours() {
        reply
            .warns("m/")
            .warns("v1.1.0")
            .warns("still runs v1.0.0")
            .warns("reload");
    } else {
        assert!(
            reply.warnings().is_empty(),
            "nothing says so there: {reply:?}"
        );
        t.get("sys/mounts/m").await.is(200).silent();
    }
}

async fn better_09_a_pin_names_the_mounts_that_wait_for_a_reload(product: Product) {
    let t = with_two_versions(product).await;
    let old = json!({"config": {"plugin_version": "1.0.0"}});
    t.mount("one", "tp", old.clone()).await.ok();
    t.mount("two", "tp", old).await.ok();
    t.mount("new", "tp", json!({})).await.ok();
    let reply = t.post(PIN, json!({"version": "1.1.0"})).await.is(200);
    reply
        .warns("one/ (v1.0.0), two/ (v1.0.0)")
        .warns("sys/plugins/reload/secret/tp");
    let pending = format!("{PIN}?pending_mounts=true");
    let shown = |mounts: &[&str]| {
        let mounts = mounts
            .iter()
            .map(|mount| json!({"mount": mount, "running_version": "v1.0.0"}));
        let mounts: Vec<_> = mounts.collect();
        json!({"name": "tp", "type": "secret", "version": "v1.1.0", "pending_mounts": mounts})
    };
    assert_eq!(
        t.get(&pending).await.is(200).data(),
        shown(&["one/", "two/"])
    );
    t.get(PIN).await.is(200).lacks("pending_mounts");
    t.reload("one").await.is(200);
    assert_eq!(t.get(&pending).await.is(200).data(), shown(&["two/"]));
    t.post("sys/plugins/reload/secret/tp", json!({}))
        .await
        .is(200);
    assert_eq!(t.get(&pending).await.is(200).data(), shown(&[]));
    t.post(PIN, json!({"version": "1.1.0"}))
        .await
        .is(200)
        .silent();
}

async fn better_12_a_wrong_digest_is_told_at_registration(product: Product) {
    let t = Target::start(product).await;
    let reply = t
        .register("tp", "1.0.0", "tp1", json!({"sha256": ZEROS}))
        .await
        .ok();
    let mount = t
        .mount("m", "tp", json!({}))
        .await
        .is(400)
        .error_has("checksums did not match");
    if t.is_ours() {
        // Which file, what was expected, and what is there.
        reply
            .is(200)
            .warns("\"tp1\"")
            .warns(ZEROS)
            .warns(&t.digest("tp1"));
        mount
            .error_has("tp1")
            .error_has(ZEROS)
            .error_has(&t.digest("tp1"));
        t.get(&format!("{TP}?version=1.0.0")).await.is(200);
    } else {
        reply.is(204);
        let text = mount.errors().concat();
        assert!(!text.contains("tp1") && !text.contains(ZEROS), "{text}");
    }
}

async fn better_13_a_delete_says_what_it_did_not_remove(product: Product) {
    let t = with_two_versions(product).await;
    for delete in [
        format!("{TP}?version=7.0.0"),
        TP.to_owned(),
        format!("{TP}?version="),
    ] {
        let reply = t.delete(&delete).await.is(product.pick(200, 204));
        if t.is_ours() {
            reply
                .warns("nothing was removed")
                .warns("Available versions: v1.0.0, v1.1.0");
        }
    }
    // What clean-ups ask for, whether or not there ever was one.
    t.delete("sys/plugins/catalog/secret/nope").await.is(204);
    t.delete("sys/plugins/catalog/secret/nope?version=1.0.0")
        .await
        .is(204);
    if t.is_ours() {
        t.delete(&format!("{TP}?version=1.0.0")).await.is(204);
        // A client that never named a version cleans up what it registered (terraform.md §4).
        t.delete(&format!("{TP}?version="))
            .await
            .is(200)
            .warns("v1.1.0")
            .warns("was removed");
        t.get(TP).await.is(404);
    }
}

async fn better_13_a_delete_names_the_mounts_that_run_on(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({})).await.ok();
    let reply = t
        .delete(&format!("{TP}?version=1.1.0"))
        .await
        .is(product.pick(200, 204));
    if t.is_ours() {
        reply.warns("in use by m/").warns("plugin_version");
    }
    assert_eq!(t.info("m").await.version, "v1.1.0");
}

async fn better_14_the_plugin_directory_may_be_a_link(product: Product) {
    // A folder that outlives no test: it belongs to a server that is there for nothing else.
    let host = Target::start(product).await;
    let link = host.server().folder().join("link");
    std::os::unix::fs::symlink(host.plugins().path(), &link).unwrap();
    let settings = Settings::default()
        .without_plugin_dir()
        .set("plugin_directory", link.display().to_string());
    let t = Target::with(product, settings).await;
    let body = json!({"command": "tp1", "sha256": host.digest("tp1"), "version": "1.0.0"});
    t.post(TP, body).await.is(204);
    t.mount("m", "tp", json!({})).await.ok();
    assert_eq!(t.info("m").await.version, "v1.0.0");
}

async fn better_17_a_refused_tune_changes_nothing(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({})).await.ok();
    let body =
        json!({"description": "changed", "default_lease_ttl": "77s", "plugin_version": "8.8.8"});
    t.post("sys/mounts/m/tune", body)
        .await
        .is(400)
        .error_is("plugin not found in the catalog: tp, version=v8.8.8");
    // Vault has kept what stood before the refused field; OpenBao has mended that too.
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/description", "")
        .has("/data/config/default_lease_ttl", 0);
}

async fn better_17_an_overwrite_says_who_runs_the_old_entry(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({})).await.ok();
    let overwrite = t
        .register("tp", "1.1.0", "tp2", json!({"args": ["--other"]}))
        .await;
    let reply = overwrite.is(product.pick(200, 204));
    if t.is_ours() {
        reply.warns("in use by m/").warns("until they are reloaded");
        t.post(PIN, json!({"version": "1.1.0"})).await.is(200);
        t.register("tp", "1.1.0", "tp2", json!({}))
            .await
            .is(200)
            .warns("is pinned");
    }
}

async fn better_17_a_version_can_be_kept_from_changing(product: Product) {
    let t = Target::with(product, Settings::default().set("immutable_versions", true)).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.is(204);
    t.plugins()
        .install("copy", &linchpin_testkit::binary("fault-v1"));
    for (command, more, field) in [
        ("tp1", json!({"sha256": ZEROS}), "sha256"),
        ("copy", json!({}), "command"),
    ] {
        t.register("tp", "1.0.0", command, more)
            .await
            .is(400)
            .error_has(&format!("another {field}"))
            .error_has("immutable_versions")
            .error_has("under a version of its own");
    }
    t.get(&format!("{TP}?version=1.0.0"))
        .await
        .is(200)
        .has("/data/command", "tp1")
        .has("/data/sha256", t.digest("tp1"));
    // The same again is no change, and arguments are none of the artefact.
    t.register("tp", "1.0.0", "tp1", json!({})).await.is(204);
    t.register("tp", "1.0.0", "tp1", json!({"args": ["--a"]}))
        .await
        .is(204);
    t.delete(&format!("{TP}?version=1.0.0")).await.is(204);
    t.register("tp", "1.0.0", "copy", json!({})).await.is(204);
}

async fn better_18_names_of_mounts_may_be_separated_by_commas(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("a", "tp", json!({})).await.ok();
    t.mount("b", "tp", json!({})).await.ok();
    let before = (t.info("a").await, t.info("b").await);
    let body = json!({"mounts": ["a,b"]});
    let reply = t.post("sys/plugins/reload/backend", body).await;
    if t.is_ours() {
        reply.is(200).has("/data/count", 2);
        let after = (t.info("a").await, t.info("b").await);
        assert!(after.0.pid != before.0.pid && after.1.pid != before.1.pid);
    } else {
        assert!(!reply.is_success(), "{reply:?}");
        assert_eq!((t.info("a").await, t.info("b").await), before);
    }
}

async fn better_19_a_mistake_of_the_caller_is_no_failure_of_the_server(product: Product) {
    let t = Target::start(product).await;
    let status = product.pick(400, 500);
    for command in ["../x", "absent", "sub/tp1"] {
        let body = json!({"command": command, "sha256": ZEROS});
        t.post(TP, body).await.is(status);
    }
    // Nor is one that nobody could mean anything by.
    let typeless = Request::new(Method::POST, "sys/plugins/catalog/tp");
    t.plugins().write("plain", b"no plugin");
    let body = json!({"command": "plain", "sha256": t.digest("plain")});
    t.send(typeless.json(&body)).await.is(status);
}
