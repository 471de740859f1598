//! The plugin catalog: register, read, list, deregister. Cases 1-26, 93, 94, 96.

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{Expect, Product, Settings, Target, cases, wrapped};
use serde_json::{Value, json};

cases! {
    both:
        case_01_builtins_are_listed_with_version_and_status,
        case_02_listing_a_type_needs_the_list_operation,
        case_03_an_unknown_plugin_is_an_empty_404,
        case_04_a_typeless_read_warns_that_it_is_deprecated,
        case_05_a_sha_is_required,
        case_06_a_sha_must_be_hex,
        case_07_a_command_is_required,
        case_08_arguments_in_two_places_are_refused,
        case_09_words_after_the_command_are_arguments,
        case_10_versions_are_stored_in_canonical_form,
        case_11_a_bad_version_is_refused,
        case_12_builtin_metadata_is_reserved,
        case_13_parent_references_are_refused,
        case_14_a_missing_file_is_refused,
        case_15_links_may_not_leave_the_plugin_directory,
        case_16_without_a_plugin_directory_nothing_registers,
        case_17_a_wrong_sha_registers_and_does_not_mount,
        case_18_a_version_other_than_the_reported_one_is_refused,
        case_19_the_reported_version_is_adopted,
        case_20_env_is_never_shown,
        case_21_versions_are_detailed_in_order,
        case_22_versioned_entries_appear_in_the_name_lists,
        case_23_overwriting_an_entry_leaves_its_mounts_alone,
        case_24_deregistering_is_idempotent_but_not_for_builtins,
        case_25_a_delete_reads_its_version_from_the_query_only,
        case_26_an_unversioned_external_shadows_the_builtin,
        case_93_a_name_with_a_slash_can_be_used,
        case_94_an_empty_version_in_the_query_is_none;
    linchpin:
        case_93_a_name_that_ends_in_a_version_is_refused,
        case_96_a_version_in_use_can_be_kept_from_deregistration;
}

const TP: &str = "sys/plugins/catalog/secret/tp";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

async fn case_01_builtins_are_listed_with_version_and_status(product: Product) {
    let t = Target::start(product).await;
    let catalog = t.get("sys/plugins/catalog").await.is(200);
    for name in ["kv", "totp"] {
        assert!(
            has(&catalog.at("/data/secret"), name),
            "{name} is not under its type: {}",
            catalog.at("/data/secret")
        );
        let entry = detailed(&catalog.data(), name)
            .into_iter()
            .next()
            .expect("a builtin is detailed");
        assert_eq!(entry["type"], "secret");
        assert_eq!(entry["builtin"], true);
        assert_eq!(entry["deprecation_status"], "supported");
        let version = entry["version"].as_str().unwrap();
        let (_, metadata) = version
            .split_once('+')
            .expect("a builtin version has metadata");
        assert!(
            metadata
                .split('.')
                .any(|identifier| identifier == "builtin"),
            "{version}"
        );
        assert_eq!(entry.get("sha256"), None);
    }
    t.get("sys/plugins/catalog/")
        .await
        .is(200)
        .has("/data/secret", catalog.at("/data/secret"));
}

async fn case_02_listing_a_type_needs_the_list_operation(product: Product) {
    let t = Target::start(product).await;
    let keys = t
        .list("sys/plugins/catalog/secret")
        .await
        .is(200)
        .at("/data/keys");
    let names: Vec<&str> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(names.is_sorted() && names.contains(&"kv"), "{names:?}");
    t.get("sys/plugins/catalog/secret?list=true")
        .await
        .is(200)
        .has("/data/keys", keys);
    t.get("sys/plugins/catalog/secret")
        .await
        .is(405)
        .error_is(&wrapped("unsupported operation"));
}

async fn case_03_an_unknown_plugin_is_an_empty_404(product: Product) {
    let t = Target::start(product).await;
    let reply = t.get("sys/plugins/catalog/secret/nope").await.is(404);
    assert_eq!(reply.json().unwrap(), json!({"errors": []}));
}

async fn case_04_a_typeless_read_warns_that_it_is_deprecated(product: Product) {
    let t = Target::start(product).await;
    let reply = t
        .get("sys/plugins/catalog/kv")
        .await
        .is(200)
        .warns("Deprecated API endpoint");
    assert_eq!(reply.json().unwrap().get("data"), Some(&Value::Null));
}

async fn case_05_a_sha_is_required(product: Product) {
    let t = Target::start(product).await;
    t.post(TP, json!({"command": "tp1"}))
        .await
        .is(400)
        .error_is("missing SHA-256 value");
    t.get(TP).await.is(404);
}

async fn case_06_a_sha_must_be_hex(product: Product) {
    let t = Target::start(product).await;
    t.post(TP, json!({"command": "tp1", "sha256": "zz"}))
        .await
        .is(400)
        .error_has("Could not decode");
    // Not 32 bytes: OpenBao's check, which is ours too (§2.5 note a).
    t.post(TP, json!({"command": "tp1", "sha256": "abcd"}))
        .await
        .is(400)
        .error_has("not 32 bytes");
}

async fn case_07_a_command_is_required(product: Product) {
    let t = Target::start(product).await;
    let text = product.pick(
        "must provide at least one of command or oci_image",
        "missing command value",
    );
    t.post(TP, json!({"sha256": ZEROS}))
        .await
        .is(400)
        .error_is(text);
}

async fn case_08_arguments_in_two_places_are_refused(product: Product) {
    let t = Target::start(product).await;
    let body = json!({"command": "tp1 a b", "args": ["c"], "sha256": ZEROS});
    t.post(TP, body)
        .await
        .is(400)
        .error_is("must not specify args in command and args field");
}

async fn case_09_words_after_the_command_are_arguments(product: Product) {
    let t = Target::start(product).await;
    let body = json!({"command": "tp1 --x", "sha256": t.digest("tp1"), "version": "1.0.0"});
    t.post(TP, body).await.ok();
    t.get(&format!("{TP}?version=1.0.0"))
        .await
        .is(200)
        .has("/data/command", "tp1")
        .has("/data/args", json!(["--x"]));
    t.register("noargs", "1.0.0", "tp1", json!({})).await.ok();
    t.get("sys/plugins/catalog/secret/noargs?version=1.0.0")
        .await
        .is(200)
        .has("/data/args", json!([]));
}

async fn case_10_versions_are_stored_in_canonical_form(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0", "tp1", json!({})).await.ok();
    for version in ["v1.0.0", "1", "1.0.0", "v01.0"] {
        let reply = t
            .get(&format!("{TP}?version={version}"))
            .await
            .is(200)
            .has("/data/version", "v1.0.0");
        reply
            .has("/data/name", "tp")
            .has("/data/builtin", false)
            .has("/data/sha256", t.digest("tp1"));
    }
}

async fn case_11_a_bad_version_is_refused(product: Product) {
    let t = Target::start(product).await;
    for version in ["bad", "V1.0.0", "1.0.0beta", "1.0.0 "] {
        let text = format!("version {version:?} is not a valid semantic version");
        t.register("tp", version, "tp1", json!({}))
            .await
            .is(400)
            .error_has(&text);
    }
    t.get(&format!("{TP}?version=bad"))
        .await
        .is(400)
        .error_has("is not a valid semantic version");
    t.delete(&format!("{TP}?version=bad"))
        .await
        .is(400)
        .error_has("is not a valid semantic version");
}

async fn case_12_builtin_metadata_is_reserved(product: Product) {
    let t = Target::start(product).await;
    for version in ["1.0.0+builtin", "1.0.0+a.builtin.b"] {
        t.register("tp", version, "tp1", json!({}))
            .await
            .is(400)
            .error_has("reserved metadata identifier");
    }
    // A file that is no plugin reports no version, so that the given one stands.
    t.plugins().write("plain", b"no plugin");
    t.register("tp", "1.0.0+builtinx", "plain", json!({}))
        .await
        .ok();
}

async fn case_13_parent_references_are_refused(product: Product) {
    let t = Target::start(product).await;
    let body = json!({"command": "../x", "sha256": ZEROS});
    let reply = t.post(TP, body).await.is(product.pick(400, 500));
    reply.error_is(&wrapped("path cannot contain parent references"));
}

async fn case_14_a_missing_file_is_refused(product: Product) {
    let t = Target::start(product).await;
    let reply = t
        .post(TP, json!({"command": "absent", "sha256": ZEROS}))
        .await
        .is(product.pick(400, 500));
    let file = t.plugins().file("absent");
    let text = format!(
        "error while validating the command path: lstat {}: no such file or directory",
        file.display()
    );
    reply.error_is(&wrapped(&text));
}

async fn case_15_links_may_not_leave_the_plugin_directory(product: Product) {
    let t = Target::start(product).await;
    let outside = t.server().folder().join("outside");
    std::fs::copy(t.plugins().file("tp1"), &outside).unwrap();
    t.plugins().link("out", &outside);
    let reply = t
        .register("tp", "1.0.0", "out", json!({}))
        .await
        .is(product.pick(400, 500));
    reply.error_is(&wrapped(
        "cannot execute files outside of configured plugin directory",
    ));
    t.plugins().link("in", &t.plugins().file("tp1"));
    t.register("tp", "1.0.0", "in", json!({})).await.ok();
}

async fn case_16_without_a_plugin_directory_nothing_registers(product: Product) {
    let t = Target::with(product, Settings::default().without_plugin_dir()).await;
    let reply = t
        .post(TP, json!({"command": "tp1", "sha256": ZEROS}))
        .await
        .is(product.pick(400, 500));
    reply.error_is(&wrapped(
        "could not set plugin, plugin directory is not configured",
    ));
}

async fn case_17_a_wrong_sha_registers_and_does_not_mount(product: Product) {
    let t = Target::start(product).await;
    let reply = t
        .post(
            TP,
            json!({"command": "tp1", "sha256": ZEROS, "version": "1.0.0"}),
        )
        .await
        .ok();
    if t.is_ours() {
        // The sooner it is said the better: which file, and both digests.
        reply
            .is(200)
            .warns("tp1")
            .warns(ZEROS)
            .warns(&t.digest("tp1"));
    }
    t.mount("m", "tp", json!({}))
        .await
        .is(400)
        .error_has("checksums did not match");
    t.get("sys/mounts/m").await.is(400);
    assert_eq!(t.plugin_pids(), Vec::<u32>::new());
}

async fn case_18_a_version_other_than_the_reported_one_is_refused(product: Product) {
    let t = Target::start(product).await;
    let reply = t.register("tp", "9.1.0", "tp2", json!({})).await.is(400);
    reply.error_is("plugin version mismatch: tp reported version (v1.1.0) did not match requested version (v9.1.0)");
    t.get(&format!("{TP}?version=9.1.0")).await.is(404);
}

async fn case_19_the_reported_version_is_adopted(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "", "tp2", json!({})).await.ok();
    t.get(&format!("{TP}?version=1.1.0"))
        .await
        .is(200)
        .has("/data/version", "v1.1.0")
        .silent();
    if t.is_ours() {
        let reply = t
            .get(TP)
            .await
            .is(200)
            .has("/data/version", "v1.1.0")
            .warns("v1.1.0");
        assert_eq!(reply.warnings().len(), 1);
        t.register("tp", "", "tp1", json!({})).await.ok();
        t.get(TP)
            .await
            .is(400)
            .error_has("Available versions")
            .error_has("v1.0.0")
            .error_has("v1.1.0")
            .error_has("-version");
    }
}

async fn case_20_env_is_never_shown(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({"env": ["A=canary"]}))
        .await
        .ok();
    let reply = t
        .get(&format!("{TP}?version=1.0.0"))
        .await
        .is(200)
        .lacks("env");
    assert!(!String::from_utf8_lossy(reply.body()).contains("canary"));
    let catalog = t.get("sys/plugins/catalog").await.is(200);
    assert!(!String::from_utf8_lossy(catalog.body()).contains("canary"));
}

async fn case_21_versions_are_detailed_in_order(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    let entries = detailed(&t.get("sys/plugins/catalog").await.is(200).data(), "tp");
    let found: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["version"].clone(),
                entry["sha256"].clone(),
                entry["builtin"].clone(),
            )
        })
        .collect();
    let expected = [("v1.0.0", "tp1"), ("v1.1.0", "tp2")]
        .map(|(version, file)| (json!(version), json!(t.digest(file)), json!(false)));
    assert_eq!(found, expected);
}

async fn case_22_versioned_entries_appear_in_the_name_lists(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    assert!(has(
        &t.list("sys/plugins/catalog/secret")
            .await
            .is(200)
            .at("/data/keys"),
        "tp"
    ));
    assert!(has(
        &t.get("sys/plugins/catalog")
            .await
            .is(200)
            .at("/data/secret"),
        "tp"
    ));
    assert!(!has(
        &t.list("sys/plugins/catalog/auth").await.at("/data/keys"),
        "tp"
    ));
}

async fn case_23_overwriting_an_entry_leaves_its_mounts_alone(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.mount("m", "tp", json!({})).await.ok();
    let before = t.info("m").await;
    let reply = t
        .register("tp", "1.0.0", "tp1", json!({"sha256": ZEROS}))
        .await
        .ok();
    if t.is_ours() {
        reply.is(200).warns("m/");
    }
    t.get(&format!("{TP}?version=1.0.0"))
        .await
        .is(200)
        .has("/data/sha256", ZEROS);
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/running_sha256", t.digest("tp1"));
    assert_eq!(t.info("m").await, before);
}

async fn case_24_deregistering_is_idempotent_but_not_for_builtins(product: Product) {
    let t = Target::start(product).await;
    t.delete("sys/plugins/catalog/secret/nope").await.is(204);
    t.delete("sys/plugins/catalog/secret/totp").await.ok();
    let catalog = t.get("sys/plugins/catalog").await.is(200).data();
    let version = detailed(&catalog, "totp")[0]["version"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!(
        "sys/plugins/catalog/secret/totp?version={}",
        version.replace('+', "%2B")
    );
    t.delete(&path)
        .await
        .is(400)
        .error_is(&format!("version {version:?} cannot be deleted"));
    t.get("sys/plugins/catalog/secret/totp")
        .await
        .is(200)
        .has("/data/builtin", true);
}

async fn case_25_a_delete_reads_its_version_from_the_query_only(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.send(Request::new(Method::DELETE, TP).json(&json!({"version": "1.0.0"})))
        .await
        .ok();
    t.get(&format!("{TP}?version=1.0.0")).await.is(200);
    t.delete(&format!("{TP}?version=1.0.0")).await.ok();
    t.get(&format!("{TP}?version=1.0.0")).await.is(404);
}

async fn case_26_an_unversioned_external_shadows_the_builtin(product: Product) {
    let t = Target::start(product).await;
    let totp = "sys/plugins/catalog/secret/totp";
    let version = t
        .get(totp)
        .await
        .is(200)
        .has("/data/builtin", true)
        .at("/data/version");
    let builtin = format!(
        "{totp}?version={}",
        version.as_str().unwrap().replace('+', "%2B")
    );
    t.get(&builtin).await.is(200).has("/data/builtin", true);
    // No plugin, so that it reports no version and stays unversioned.
    t.plugins().write("plain", b"no plugin");
    t.register("totp", "", "plain", json!({})).await.ok();
    t.get(totp)
        .await
        .is(200)
        .has("/data/builtin", false)
        .has("/data/version", "")
        .has("/data/command", "plain");
    t.get(&builtin).await.is(404);
    let entries = detailed(&t.get("sys/plugins/catalog").await.is(200).data(), "totp");
    assert!(
        entries.iter().all(|entry| entry["builtin"] == false) && entries.len() == 1,
        "{entries:?}"
    );
    t.delete(totp).await.ok();
    t.get(totp).await.is(200).has("/data/builtin", true);
}

async fn case_93_a_name_with_a_slash_can_be_used(product: Product) {
    let t = Target::start(product).await;
    t.register("team/kv", "1.0.0", "tp1", json!({})).await.ok();
    t.get("sys/plugins/catalog/secret/team/kv?version=1.0.0")
        .await
        .is(200)
        .has("/data/name", "team/kv");
    t.mount("m", "team/kv", json!({})).await.ok();
    assert_eq!(t.info("m").await.version, "v1.0.0");
    t.delete("sys/mounts/m").await.ok();
    t.delete("sys/plugins/catalog/secret/team/kv?version=1.0.0")
        .await
        .ok();
    t.get("sys/plugins/catalog/secret/team/kv?version=1.0.0")
        .await
        .is(404);
}

async fn case_93_a_name_that_ends_in_a_version_is_refused(product: Product) {
    let t = Target::start(product).await;
    for name in ["team/v1.0.0", "team/1"] {
        t.register(name, "", "tp1", json!({}))
            .await
            .is(400)
            .error_has("cannot end in a version");
    }
}

async fn case_94_an_empty_version_in_the_query_is_none(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.plugins().write("plain", b"no plugin");
    t.register("tp", "", "plain", json!({})).await.ok();
    t.get(&format!("{TP}?version="))
        .await
        .is(200)
        .has("/data/version", "")
        .has("/data/command", "plain");
    t.delete(&format!("{TP}?version=")).await.ok();
    t.get(&format!("{TP}?version=1.0.0"))
        .await
        .is(200)
        .has("/data/command", "tp1");
    let entries = detailed(&t.get("sys/plugins/catalog").await.is(200).data(), "tp");
    assert_eq!(entries.len(), 1, "{entries:?}");
}

async fn case_96_a_version_in_use_can_be_kept_from_deregistration(product: Product) {
    let t = Target::with(
        product,
        Settings::default().set("deregister_in_use", "refuse"),
    )
    .await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.mount("one", "tp", json!({})).await.ok();
    t.mount("two", "tp", json!({})).await.ok();
    let entry = format!("{TP}?version=1.0.0");
    t.delete(&entry)
        .await
        .is(400)
        .error_has("one/")
        .error_has("two/");
    t.get(&entry).await.is(200);
    t.delete("sys/mounts/one").await.ok();
    t.delete(&entry).await.is(400).error_has("two/");
    t.delete("sys/mounts/two").await.ok();
    t.delete(&entry).await.ok();
    t.get(&entry).await.is(404);
}

fn has(names: &Value, name: &str) -> bool {
    names
        .as_array()
        .is_some_and(|names| names.iter().any(|found| found == name))
}

/// The entries of `data.detailed` with this name, in their order.
fn detailed(catalog: &Value, name: &str) -> Vec<Value> {
    let entries = catalog["detailed"].as_array().expect("detailed is a list");
    entries
        .iter()
        .filter(|entry| entry["name"] == name && entry["type"] == "secret")
        .cloned()
        .collect()
}
