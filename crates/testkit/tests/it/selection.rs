//! Which version a mount stores, which one it runs, and what reads say when the two differ. Cases 39-50, 52, 95.

use linchpin_testkit::{Expect, Product, Target, cases};
use serde_json::json;

cases! {
    both:
        case_39_a_mount_takes_the_highest_version,
        case_40_a_mount_takes_the_version_that_its_config_asks_for,
        case_41_a_version_at_top_level_is_ignored,
        case_42_an_unversioned_external_comes_before_versions,
        case_43_a_versioned_external_comes_before_the_builtin,
        case_44_prereleases_count_as_versions,
        case_47_tuning_the_version_takes_effect_at_the_reload,
        case_48_a_bad_version_cannot_be_tuned,
        case_52_kv_takes_builtin_versions_only,
        case_95_options_are_what_was_sent;
    linchpin:
        case_45_a_pin_chooses_the_version_of_a_new_mount,
        case_46_a_pin_keeps_the_version_from_being_tuned,
        case_49_a_pin_takes_effect_at_the_reload,
        case_50_without_the_pin_a_reload_goes_back;
}

const PIN: &str = "sys/plugins/pins/secret/tp";

async fn with_two_versions(product: Product) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t
}

/// Expects what a read of the mount says of its versions, and that the plugin itself agrees.
#[track_caller]
fn runs<'a>(
    t: &'a Target,
    mount: &'a str,
    stored: &'a str,
    running: &'a str,
) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let data = t.get(&format!("sys/mounts/{mount}")).await.is(200).data();
        let found = (
            data["plugin_version"].as_str().unwrap_or("?"),
            data["running_plugin_version"].as_str().unwrap_or("?"),
        );
        assert_eq!(found, (stored, running), "{caller}: {data}");
        if !running.is_empty() && !running.contains("builtin") {
            assert_eq!(t.info(mount).await.version, running, "{caller}");
        }
    }
}

async fn case_39_a_mount_takes_the_highest_version(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({})).await.is(204);
    runs(&t, "m", "v1.1.0", "v1.1.0").await;
    let reply = t
        .get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/running_sha256", t.digest("tp2"))
        .has("/data/type", "tp")
        .silent();
    // Everything of `data` is repeated beside `request_id`.
    assert_eq!(
        reply.at("/running_sha256"),
        reply.at("/data/running_sha256")
    );
    let all = t.get("sys/mounts").await.is(200);
    assert_eq!(all.at("/data/m~1/running_plugin_version"), "v1.1.0");
    assert_eq!(all.at("/m~1"), all.at("/data/m~1"));
}

async fn case_40_a_mount_takes_the_version_that_its_config_asks_for(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    runs(&t, "m", "v1.0.0", "v1.0.0").await;
    let reply = t
        .mount("n", "tp", json!({"config": {"plugin_version": "7.0.0"}}))
        .await
        .is(400);
    reply.error_is("plugin not found in the catalog: tp, version=v7.0.0");
    t.mount("n", "tp", json!({"config": {"plugin_version": "x"}}))
        .await
        .is(400)
        .error_has("is not a valid semantic version");
    t.mount("n", "nope", json!({}))
        .await
        .is(400)
        .error_is("plugin not found in the catalog: nope");
    t.mount("n", "tp", json!({"type": ""}))
        .await
        .is(400)
        .error_is("backend type must be specified as a string");
    t.get("sys/mounts/n")
        .await
        .is(400)
        .error_is("No secret engine mount at n/");
}

async fn case_41_a_version_at_top_level_is_ignored(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({"plugin_version": "1.0.0"}))
        .await
        .ok();
    runs(&t, "m", "v1.1.0", "v1.1.0").await;
}

async fn case_42_an_unversioned_external_comes_before_versions(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("before", "tp", json!({})).await.ok();
    // A plugin that reports no version stays unversioned.
    t.plugins()
        .install("tp0", &linchpin_testkit::binary("fault-v1"));
    t.register("tp", "", "tp0", json!({"env": [UNVERSIONED]}))
        .await
        .ok();
    t.mount("m", "tp", json!({})).await.ok();
    runs(&t, "m", "", "").await;
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/running_sha256", t.digest("tp0"));
    runs(&t, "before", "v1.1.0", "v1.1.0").await;
}

async fn case_43_a_versioned_external_comes_before_the_builtin(product: Product) {
    let t = Target::start(product).await;
    let builtin = t
        .get("sys/plugins/catalog/secret/totp")
        .await
        .is(200)
        .at("/data/version");
    t.mount("before", "totp", json!({})).await.ok();
    t.register("totp", "9.0.0", "tp1", json!({"env": [UNVERSIONED]}))
        .await
        .ok();
    t.mount("m", "totp", json!({})).await.ok();
    let reply = t.get("sys/mounts/m").await.is(200);
    reply
        .has("/data/plugin_version", "v9.0.0")
        .has("/data/running_plugin_version", "v9.0.0");
    t.mount("b", "totp", json!({"config": {"plugin_version": builtin}}))
        .await
        .ok();
    for mount in ["b", "before"] {
        let reply = t.get(&format!("sys/mounts/{mount}")).await.is(200);
        reply
            .has("/data/plugin_version", "")
            .has("/data/running_plugin_version", builtin.clone())
            .has("/data/running_sha256", "");
    }
}

async fn case_44_prereleases_count_as_versions(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.9.0", "tp1", json!({"env": [UNVERSIONED]}))
        .await
        .ok();
    t.register("tp", "2.0.0-rc1", "tp2", json!({"env": [UNVERSIONED]}))
        .await
        .ok();
    t.mount("m", "tp", json!({})).await.ok();
    let reply = t.get("sys/mounts/m").await.is(200);
    reply
        .has("/data/plugin_version", "v2.0.0-rc1")
        .has("/data/running_sha256", t.digest("tp2"));
}

async fn case_45_a_pin_chooses_the_version_of_a_new_mount(product: Product) {
    let t = with_two_versions(product).await;
    t.post(PIN, json!({"version": "1.0.0"})).await.is(200);
    t.mount("m", "tp", json!({})).await.ok();
    runs(&t, "m", "v1.0.0", "v1.0.0").await;
    for version in ["1.1.0", "1.0.0"] {
        let reply = t
            .mount("n", "tp", json!({"config": {"plugin_version": version}}))
            .await
            .is(400);
        reply.error_is("cannot specify plugin_version for secret plugin \"tp\", as it is pinned to version v1.0.0");
    }
    t.get("sys/mounts/n").await.is(400);
}

async fn case_46_a_pin_keeps_the_version_from_being_tuned(product: Product) {
    let t = with_two_versions(product).await;
    t.post(PIN, json!({"version": "1.0.0"})).await.is(200);
    t.mount("m", "tp", json!({})).await.ok();
    for version in ["1.1.0", "1.0.0"] {
        let body = json!({"plugin_version": version, "default_lease_ttl": "77s", "description": "changed"});
        let reply = t.post("sys/mounts/m/tune", body).await.is(400);
        reply.error_is("plugin_version cannot be set for secret plugin \"tp\" as a pinned version v1.0.0 is in effect");
    }
    // Nothing changed, the fields before the refused one neither.
    let reply = t
        .get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.0.0");
    reply
        .has("/data/description", "")
        .has("/data/config/default_lease_ttl", 0);
}

async fn case_47_tuning_the_version_takes_effect_at_the_reload(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    let before = t.info("m").await;
    let reply = t
        .post("sys/mounts/m/tune", json!({"plugin_version": "1.1.0"}))
        .await
        .ok();
    if t.is_ours() {
        reply.is(200).warns("m/").warns("v1.0.0");
    }
    runs(&t, "m", "v1.1.0", "v1.0.0").await;
    assert_eq!(t.info("m").await, before);
    let reply = t.get("sys/mounts/m").await.is(200);
    if t.is_ours() {
        let text = "Plugin version is configured as \"v1.1.0\", but running \"v1.0.0\" either due to a pinned version or because the plugin \
                    was upgraded and not yet reloaded";
        assert_eq!(reply.warnings(), [text]);
    }
    t.get("sys/mounts/m/tune")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.1.0");
    t.reload("m").await.is(200);
    runs(&t, "m", "v1.1.0", "v1.1.0").await;
    t.get("sys/mounts/m").await.is(200).silent();
    assert_ne!(t.info("m").await.pid, before.pid);
}

async fn case_48_a_bad_version_cannot_be_tuned(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    let before = t.get("sys/mounts/m").await.is(200).data();
    let cases = [
        ("", "version \"\" is not a valid semantic version"),
        ("x", "version \"x\" is not a valid semantic version"),
        (
            "8.8.8",
            "plugin not found in the catalog: tp, version=v8.8.8",
        ),
    ];
    for (version, text) in cases {
        t.post("sys/mounts/m/tune", json!({"plugin_version": version}))
            .await
            .is(400)
            .error_has(text);
    }
    assert_eq!(t.get("sys/mounts/m").await.is(200).data(), before);
    let reply = t
        .post("sys/mounts/nope/tune", json!({"plugin_version": "1.0.0"}))
        .await
        .is(400);
    reply.error_is("tune of path \"nope/\" failed: no mount entry found");
    t.get("sys/mounts/nope/tune")
        .await
        .is(400)
        .error_is("cannot fetch sysview for path \"nope/\"");
}

async fn case_49_a_pin_takes_effect_at_the_reload(product: Product) {
    let t = pinned_and_reloaded(product).await;
    runs(&t, "m", "v1.0.0", "v1.1.0").await;
    t.get("sys/mounts/m")
        .await
        .is(200)
        .warns("because that version is pinned");
    t.get("sys/mounts/m/tune")
        .await
        .is(200)
        .warns("a version pin for v1.1.0 is in effect");
}

async fn case_50_without_the_pin_a_reload_goes_back(product: Product) {
    let t = pinned_and_reloaded(product).await;
    t.delete(PIN).await.is(200);
    runs(&t, "m", "v1.0.0", "v1.1.0").await;
    t.reload("m").await.is(200);
    runs(&t, "m", "v1.0.0", "v1.0.0").await;
    t.get("sys/mounts/m").await.is(200).silent();
    t.get("sys/mounts/m/tune").await.is(200).silent();
}

/// A mount of v1.0.0 that runs v1.1.0, because that is pinned since.
async fn pinned_and_reloaded(product: Product) -> Target {
    let t = with_two_versions(product).await;
    t.mount("m", "tp", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    let before = t.info("m").await;
    t.post(PIN, json!({"version": "1.1.0"})).await.is(200);
    runs(&t, "m", "v1.0.0", "v1.0.0").await;
    assert_eq!(t.info("m").await, before);
    t.reload("m").await.is(200);
    t
}

async fn case_52_kv_takes_builtin_versions_only(product: Product) {
    let t = Target::start(product).await;
    let reply = t
        .mount("m", "kv", json!({"config": {"plugin_version": "v1.2.3"}}))
        .await
        .is(400);
    reply.error_is("cannot select non-builtin version of secrets plugin kv");
    t.get("sys/mounts/m").await.is(400);
}

async fn case_95_options_are_what_was_sent(product: Product) {
    let t = with_two_versions(product).await;
    t.mount("kv", "kv", json!({})).await.ok();
    t.mount("bare", "tp", json!({})).await.ok();
    t.mount("given", "tp", json!({"options": {"a": "b"}}))
        .await
        .ok();
    for (mount, expected) in [
        ("kv", json!({})),
        ("bare", json!({})),
        ("given", json!({"a": "b"})),
    ] {
        let options = t
            .get(&format!("sys/mounts/{mount}"))
            .await
            .is(200)
            .at("/data/options");
        let options = if options.is_null() {
            json!({})
        } else {
            options
        };
        assert_eq!(options, expected, "{mount}");
    }
}

/// Makes the fault plugin report no version.
const UNVERSIONED: &str = "FAULT_VERSION=none";
