//! Catalog, pins, reload and runtimes: paths, statuses and bodies of plugin-lifecycle §§2-6. What
//! real plugins do is tested on real servers.

use crate::node::{BROKEN, DIGEST, Node, wrapped};
use linchpin_model::{BUILTIN_VERSION, ErrorKind, Operation};
use serde_json::{Value, json};

const CATALOG: &str = "sys/plugins/catalog";
const RELOAD: &str = "sys/plugins/reload/backend";

fn entry(version: &str) -> Value {
    json!({"version": version, "command": "file", "sha256": DIGEST.to_string(), "type": "secret"})
}

async fn registered(versions: &[&str]) -> Node {
    let node = Node::start().await;
    for version in versions {
        node.post(&format!("{CATALOG}/secret/tp"), entry(version))
            .await
            .nothing();
    }
    node
}

async fn list(node: &Node, path: &str) -> Value {
    node.ask(Operation::List, path, json!({})).await.data()
}

#[tokio::test]
async fn what_is_registered_is_listed_and_read() {
    let node = registered(&["1.1.0", "1.0"]).await;
    let digest = DIGEST.to_string();
    for path in [CATALOG, "sys/plugins/catalog/"] {
        let listed = node.get(path).await.data();
        assert_eq!(listed["secret"], json!(["kv", "totp", "tp"]));
        assert!(listed.get("auth").is_none());
        let rows = listed["detailed"].as_array().unwrap();
        let row = |version: &str| json!({"type": "secret", "name": "tp", "version": version, "builtin": false, "sha256": digest});
        assert_eq!(rows[2..], [row("v1.0.0"), row("v1.1.0")]);
    }
    let mut as_list = list(&node, "sys/plugins/catalog/").await;
    assert_eq!(as_list["keys"].take(), json!(["secret/"]));
    as_list.as_object_mut().unwrap().remove("keys");
    assert_eq!(as_list, node.get(CATALOG).await.data());
    let keys = list(&node, "sys/plugins/catalog/secret/").await;
    assert_eq!(keys, json!({"keys": ["kv", "totp", "tp"]}));
    let read = async |version: &str| {
        let query = json!({"version": version});
        node.ask(Operation::Read, "sys/plugins/catalog/secret/tp", query)
            .await
    };
    assert_eq!(
        read("1").await.data(),
        json!({"name": "tp", "version": "v1.0.0", "command": "file", "args": [], "sha256": digest, "builtin": false})
    );
    read("2.0.0").await.nothing();
    read("bad")
        .await
        .refused("version \"bad\" is not a valid semantic version: malformed version: bad");
    let several = node.get("sys/plugins/catalog/secret/tp").await.error();
    assert!(
        several.messages()[0].contains("Available versions"),
        "{several}"
    );
    let builtin = node.get("sys/plugins/catalog/secret/kv").await.data();
    assert_eq!(
        builtin,
        json!({"name": "kv", "version": BUILTIN_VERSION, "command": "", "args": null, "sha256": "",
               "builtin": true, "deprecation_status": "supported"})
    );
    node.get("sys/plugins/catalog/secret/nope").await.nothing();
}

#[tokio::test]
async fn a_registration_takes_every_field() {
    let node = Node::start().await;
    let body = json!({
        "version": "1.0.0", "command": "file", "args": "--one", "env": ["A=hidden"], "sha_256": DIGEST.to_string(),
        "overlap": "true", "execution": "path", "unknown": 1,
    });
    node.post("sys/plugins/catalog/secret/team/kv", body)
        .await
        .nothing();
    let (read, warnings) = node
        .get("sys/plugins/catalog/secret/team/kv")
        .await
        .warned();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        read,
        json!({"name": "team/kv", "version": "v1.0.0", "command": "file", "args": ["--one"],
               "sha256": DIGEST.to_string(), "builtin": false, "execution": "path"})
    );
    // Another registration replaces all of it.
    node.post("sys/plugins/catalog/secret/team/kv", entry("1.0.0"))
        .await
        .nothing();
    let (read, _) = node
        .get("sys/plugins/catalog/secret/team/kv")
        .await
        .warned();
    assert_eq!((&read["args"], read.get("execution")), (&json!([]), None));
    let mut alone = entry("1.0.0");
    alone["overlap"] = json!(false);
    node.post("sys/plugins/catalog/secret/alone", alone)
        .await
        .nothing();
    let (read, _) = node.get("sys/plugins/catalog/secret/alone").await.warned();
    assert_eq!(read["overlap"], false);
    node.post("sys/plugins/catalog/secret/tp", json!({"command": "file"}))
        .await
        .refused("missing SHA-256 value");
    node.post("sys/plugins/catalog/secret/tp", json!({"sha256": DIGEST.to_string(), "download": true}))
        .await
        .refused("download is not supported: place the plugin in the plugin directory and register it with sha256 and command");
}

#[tokio::test]
async fn the_type_decides_which_path_it_is() {
    let node = registered(&["1.0.0"]).await;
    let unsupported = wrapped("unsupported operation");
    let refused = async |operation, path: &str| {
        node.ask(operation, path, json!({}))
            .await
            .fails(ErrorKind::UnsupportedOperation, &unsupported);
    };
    refused(Operation::Read, "sys/plugins/catalog/secret").await;
    refused(Operation::List, "sys/plugins/catalog/secrets/").await;
    refused(Operation::List, "sys/plugins/catalog/unknown/").await;
    let (data, warnings) = node.get("sys/plugins/catalog/secrets/tp").await.warned();
    assert_eq!(data, Value::Null);
    assert_eq!(
        warnings,
        ["Deprecated API endpoint, cannot read plugin information from catalog for \"secrets/tp\""]
    );
    let (_, warnings) = node.delete("sys/plugins/catalog/tp").await.warned();
    assert_eq!(
        warnings,
        ["Deprecated API endpoint, cannot deregister plugin from catalog for \"tp\""]
    );
    // Without a type it is told by running the file.
    node.post("sys/plugins/catalog/untyped", entry("1.0.0"))
        .await
        .nothing();
    let (read, _) = node
        .get("sys/plugins/catalog/secret/untyped")
        .await
        .warned();
    assert_eq!(read["version"], "v1.0.0");
}

#[tokio::test]
async fn a_version_is_deregistered_by_its_query() {
    let node = registered(&["1.0.0", "1.1.0"]).await;
    let path = "sys/plugins/catalog/secret/tp";
    let delete = async |query| node.ask(Operation::Delete, path, query).await;
    let (_, warnings) = delete(json!({})).await.warned();
    assert!(
        warnings[0].starts_with("nothing was removed"),
        "{warnings:?}"
    );
    assert_eq!(
        node.get(path).await.error().kind(),
        ErrorKind::InvalidRequest
    );
    delete(json!({"version": "1.0.0"})).await.nothing();
    let (read, _) = node.get(path).await.warned();
    assert_eq!(read["version"], "v1.1.0");
    delete(json!({"version": BUILTIN_VERSION}))
        .await
        .refused(&format!("version \"{BUILTIN_VERSION}\" cannot be deleted"));
    // What a client sends that was given no version, where only one is there.
    let (_, warnings) = delete(json!({"version": ""})).await.warned();
    assert!(warnings[0].ends_with("was removed"), "{warnings:?}");
    node.get(path).await.nothing();
}

#[tokio::test]
async fn a_pin_is_set_read_listed_and_removed() {
    let node = registered(&["1.0.0"]).await;
    let (pins, tp) = ("sys/plugins/pins", "sys/plugins/pins/secret/tp");
    assert_eq!(node.get(pins).await.data(), json!({"pinned_versions": []}));
    assert_eq!(
        node.post(tp, json!({"version": "1.0.0"})).await.data(),
        Value::Null
    );
    let pin = json!({"name": "tp", "type": "secret", "version": "v1.0.0"});
    assert_eq!(node.get(tp).await.data(), pin);
    for path in [pins, "sys/plugins/pins/"] {
        assert_eq!(
            node.get(path).await.data(),
            json!({"pinned_versions": [pin]})
        );
    }
    node.ask(Operation::List, "sys/plugins/pins/", json!({}))
        .await
        .fails(
            ErrorKind::UnsupportedOperation,
            &wrapped("unsupported operation"),
        );
    node.post(tp, json!({}))
        .await
        .refused("missing plugin version");
    node.post("sys/plugins/pins/secrets/tp", json!({"version": "1.0.0"}))
        .await
        .fails(ErrorKind::NotFound, &wrapped("unsupported path"));
    for _ in 0..2 {
        assert_eq!(node.delete(tp).await.data(), Value::Null);
    }
    let error = node.get(tp).await.error();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.rendered(),
        [wrapped("no pinned version for this plugin")]
    );
    // Without this the Terraform provider crashes.
    assert_eq!(error.warnings(), ["no pinned version for this plugin"]);
}

#[tokio::test]
async fn a_stored_version_and_a_running_one_are_told_apart() {
    let node = registered(&["1.0.0", "1.1.0"]).await;
    let body = json!({"type": "tp", "config": {"plugin_version": "1.0.0"}});
    node.post("sys/mounts/m", body).await.nothing();
    let (data, warnings) = node
        .post("sys/mounts/m/tune", json!({"plugin_version": "1.1.0"}))
        .await
        .warned();
    assert_eq!((data, warnings.len()), (Value::Null, 1));
    let (read, warnings) = node.get("sys/mounts/m").await.warned();
    assert_eq!(read["plugin_version"], "v1.1.0");
    assert_eq!(read["running_plugin_version"], "v1.0.0");
    assert_eq!(read["running_sha256"], DIGEST.to_string());
    assert!(warnings[0].ends_with("not yet reloaded"), "{warnings:?}");
    let reload = node.post(RELOAD, json!({"mounts": "m"})).await.data();
    assert_eq!(
        (&reload["count"], &reload["reload_id"]),
        (&json!(1), &json!("request"))
    );
    let mut result = reload["results"][0].clone();
    assert!(
        result
            .as_object_mut()
            .unwrap()
            .remove("milliseconds")
            .is_some()
    );
    let digest = DIGEST.to_string();
    assert_eq!(
        result,
        json!({"mount": "m/", "namespace": "", "from_version": "v1.0.0", "to_version": "v1.1.0",
               "from_sha256": digest, "to_sha256": digest, "status": "reloaded", "error": ""})
    );
    assert_eq!(
        node.get("sys/mounts/m").await.data()["running_plugin_version"],
        "v1.1.0"
    );

    node.post("sys/plugins/pins/secret/tp", json!({"version": "1.0.0"}))
        .await
        .warned();
    let (_, warnings) = node.get("sys/mounts/m/tune").await.warned();
    assert_eq!(
        warnings,
        ["plugin_version is configured as v1.1.0 but a version pin for v1.0.0 is in effect"]
    );
    node.post("sys/plugins/reload/secret/tp", json!({}))
        .await
        .data();
    let (_, warnings) = node.get("sys/mounts/m").await.warned();
    assert!(
        warnings[0].ends_with("because that version is pinned"),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn mistakes_of_reloading_have_vaults_texts_in_their_order() {
    let node = Node::start().await;
    let check =
        async |path: &str, body: Value, text: &str| node.post(path, body).await.refused(text);
    let scope = "reload scope must be omitted or 'global'";
    check(RELOAD, json!({"scope": "x"}), scope).await;
    check("sys/plugins/reload/secret/kv", json!({"scope": "x"}), scope).await;
    let both = json!({"plugin": "kv", "mounts": ["m"]});
    check(
        RELOAD,
        both,
        "plugin and mounts cannot be set at the same time",
    )
    .await;
    for nothing in [
        json!({}),
        json!({"mounts": ""}),
        json!({"mounts": []}),
        json!({"mounts": [""]}),
    ] {
        check(RELOAD, nothing, "plugin or mounts must be provided").await;
    }
    node.post("sys/plugins/reload/foo/kv", json!({}))
        .await
        .fails(ErrorKind::NotFound, &wrapped("unsupported path"));
    node.get("sys/plugins/reload/backend/status")
        .await
        .refused("reload_id must be provided");
    node.ask(
        Operation::Read,
        "sys/plugins/reload/backend/status",
        json!({"reload_id": "nope"}),
    )
    .await
    .nothing();
}

#[tokio::test]
async fn a_failed_reload_says_what_became_of_each_mount() {
    let node = registered(&["1.0.0"]).await;
    for mount in ["a", "b"] {
        node.post(&format!("sys/mounts/{mount}"), json!({"type": "tp"}))
            .await
            .nothing();
    }
    let broken = json!({"version": "2.0.0", "command": BROKEN, "sha256": DIGEST.to_string()});
    node.post("sys/plugins/catalog/secret/tp", broken)
        .await
        .nothing();
    node.post("sys/mounts/b/tune", json!({"plugin_version": "2.0.0"}))
        .await
        .warned();
    let error = node
        .post(RELOAD, json!({"mounts": ["a,b", "nope"]}))
        .await
        .error();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let text = &error.rendered()[0];
    assert!(text.starts_with("2 errors occurred:\n"), "{text}");
    for part in [
        "cannot fetch mount entry on \"nope/\"",
        "cannot reload plugin on \"b/\": it does not start",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let data: Value = serde_json::from_str(error.data().unwrap().as_str()).unwrap();
    assert_eq!(
        (&data["count"], &data["reload_id"]),
        (&json!(1), &json!("request"))
    );
    let mut results: Vec<_> = data["results"].as_array().unwrap().iter().collect();
    results.sort_by_key(|result| result["mount"].as_str());
    let shown: Vec<_> = results
        .iter()
        .map(|r| (&r["mount"], &r["status"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("a/"), &json!("reloaded")),
            (&json!("b/"), &json!("failed")),
            (&json!("nope/"), &json!("failed")),
        ]
    );
    assert_eq!(results[1]["error"], "it does not start");
    assert_eq!(results[1]["to_version"], "v1.0.0");
}

#[tokio::test]
async fn a_global_reload_is_accepted_and_recorded() {
    let node = Node::start().await;
    let response = node
        .post(RELOAD, json!({"plugin": "nope", "scope": "global"}))
        .await
        .response();
    assert!(response.accepted);
    assert_eq!(
        response.warnings,
        ["no plugins were reloaded locally (but they may be reloaded on other nodes)"]
    );
    let status = node
        .ask(
            Operation::Read,
            "sys/plugins/reload/backend/status",
            json!({"reload_id": "request"}),
        )
        .await
        .data();
    assert_eq!(status["reload_id"], "request");
    let results: Vec<&Value> = status["results"].as_object().unwrap().values().collect();
    assert_eq!(results.len(), 1, "{status}");
    assert_eq!(results[0]["error"], "");
    let (data, warnings) = node
        .post("sys/plugins/reload/unknown/nope", json!({}))
        .await
        .warned();
    assert_eq!((&data["count"], &data["results"]), (&json!(0), &json!([])));
    assert_eq!(warnings, ["no plugins were reloaded"]);
}

#[tokio::test]
async fn a_runtime_is_registered_listed_read_and_removed() {
    let node = Node::start().await;
    let (all, one) = (
        "sys/plugins/runtimes/catalog",
        "sys/plugins/runtimes/catalog/container/box",
    );
    assert_eq!(node.get(all).await.data(), json!({"runtimes": []}));
    assert_eq!(
        list(&node, "sys/plugins/runtimes/catalog/").await,
        json!({"runtimes": []})
    );
    node.ask(Operation::Read, all, json!({"type": "x"}))
        .await
        .refused("\"x\" is not a supported plugin runtime type");
    node.get(one).await.nothing();
    node.post(one, json!({"cpu_nanos": -1}))
        .await
        .refused("runtime cpu in nanos cannot be negative");
    node.post(one, json!({"oci_runtime": "runc", "memory_bytes": 7}))
        .await
        .nothing();
    let shown = json!({"name": "box", "type": "container", "oci_runtime": "runc", "cgroup_parent": "",
        "cpu_nanos": 0, "memory_bytes": 7, "rootless": false});
    assert_eq!(node.get(one).await.data(), shown);
    assert_eq!(
        list(&node, "sys/plugins/runtimes/catalog/").await,
        json!({"runtimes": [shown]})
    );
    node.delete(one).await.nothing();
    node.delete(one).await.fails(
        ErrorKind::InvalidRequest,
        &wrapped("plugin runtime not found"),
    );
}
