//! Mounts and auth methods: the cases 56-75 of core-api §12, as far as this release has what they
//! need.

use crate::node::{Node, wrapped};
use linchpin_model::{BUILTIN_VERSION, ErrorKind, Operation};
use serde_json::{Value, json};

async fn mounted(mounts: &[&str]) -> Node {
    let node = Node::start().await;
    for mount in mounts {
        node.post(&format!("sys/mounts/{mount}"), json!({"type": "kv"}))
            .await
            .nothing();
    }
    node
}

#[tokio::test]
async fn a_mount_reads_as_it_was_made() {
    let node = mounted(&["m1"]).await;
    let response = node.get("sys/mounts/m1").await.response();
    assert!(response.inject_top_level);
    let read = node.get("sys/mounts/m1/").await.data();
    let (accessor, uuid) = (read["accessor"].as_str().unwrap(), &read["uuid"]);
    assert!(
        accessor.starts_with("kv_") && accessor.len() == 11,
        "{accessor}"
    );
    assert_eq!(
        read,
        json!({
            "accessor": accessor,
            "config": {"default_lease_ttl": 0, "force_no_cache": false, "max_lease_ttl": 0},
            "deprecation_status": "supported", "description": "", "external_entropy_access": false,
            "local": false, "options": {}, "plugin_version": "",
            "running_plugin_version": BUILTIN_VERSION, "running_sha256": "", "seal_wrap": false,
            "type": "kv", "uuid": uuid,
        })
    );
    let list = node.get("sys/mounts").await.response();
    assert!(list.inject_top_level);
    let list: Value = serde_json::from_str(list.data.unwrap().as_str()).unwrap();
    assert_eq!(list["m1/"], read);
    assert_eq!(list["sys/"]["options"], Value::Null);
    assert_eq!(node.get("sys/auth").await.data(), json!({}));
}

#[tokio::test]
async fn everything_that_was_sent_comes_back() {
    let node = Node::start().await;
    let body = json!({
        "type": "kv", "description": "d", "local": true, "seal_wrap": true,
        "external_entropy_access": true, "options": {"a": "b", "n": 1}, "plugin_name": "ignored",
        "plugin_version": "ignored",
        "config": {
            "default_lease_ttl": "30m", "max_lease_ttl": 3600, "force_no_cache": true,
            "listing_visibility": "hidden", "audit_non_hmac_request_keys": ["a"],
            "audit_non_hmac_response_keys": "b,c", "passthrough_request_headers": ["X-A"],
            "allowed_response_headers": ["X-B"], "unknown": 1,
        },
    });
    node.post("sys/mounts/m", body).await.nothing();
    let read = node.get("sys/mounts/m").await.data();
    assert_eq!(read["description"], "d");
    for flag in ["local", "seal_wrap", "external_entropy_access"] {
        assert_eq!(read[flag], true, "{flag}");
    }
    assert_eq!(read["options"], json!({"a": "b", "n": "1"}));
    let config = json!({
        "default_lease_ttl": 1800, "max_lease_ttl": 3600, "force_no_cache": true,
        "listing_visibility": "hidden", "audit_non_hmac_request_keys": ["a"],
        "audit_non_hmac_response_keys": ["b", "c"], "passthrough_request_headers": ["X-A"],
        "allowed_response_headers": ["X-B"],
    });
    assert_eq!(read["config"], config);
    let tuned = node.get("sys/mounts/m/tune").await.data();
    assert_eq!(tuned["external_entropy_access"], true);
    assert_eq!(tuned["options"], json!({"a": "b", "n": "1"}));
}

#[tokio::test]
async fn mistakes_of_mounting_have_vaults_texts() {
    let node = mounted(&["m1", "m2/sub"]).await;
    let check = async |path: &str, body: Value, text: &str| {
        node.post(&format!("sys/mounts/{path}"), body)
            .await
            .refused(text);
    };
    let kv = || json!({"type": "kv"});
    check("m1", kv(), "path is already in use at m1/").await;
    check("m1/sub", kv(), "path is already in use at m1/").await;
    check("m2", kv(), "path is already in use at m2/sub/").await;
    for below in ["sys/x", "auth/x", "cubbyhole/x", "identity", "audit"] {
        check(below, kv(), &format!("cannot mount \"{below}/\"")).await;
    }
    check("x", json!({}), "backend type must be specified as a string").await;
    check(
        "x",
        json!({"type": "nope"}),
        "plugin not found in the catalog: nope",
    )
    .await;
    check(
        "x",
        json!({"type": "plugin"}),
        "plugin_name must be provided for plugin backend",
    )
    .await;
    check(
        "x",
        json!({"type": "kv", "config": {"default_lease_ttl": "3h", "max_lease_ttl": "2h"}}),
        "given default lease TTL greater than given max lease TTL",
    )
    .await;
    check(
        "x",
        json!({"type": "kv", "config": {"default_lease_ttl": "800h"}}),
        "given default lease TTL greater than system max lease TTL of 2764800",
    )
    .await;
    check(
        "x",
        json!({"type": "kv", "config": {"listing_visibility": "zz"}}),
        "invalid listing_visibility zz",
    )
    .await;
    check(
        "x",
        json!({"type": "kv", "config": {"force_no_cache": "no"}}),
        "unable to convert given mount config information",
    )
    .await;
    let list = node.get("sys/mounts").await.data();
    let paths: Vec<&String> = list.as_object().unwrap().keys().collect();
    assert_eq!(paths, ["m1/", "m2/sub/", "sys/"]);
}

#[tokio::test]
async fn a_plugin_can_be_named_in_two_places() {
    let node = Node::start().await;
    for (mount, body) in [
        ("a", json!({"type": "plugin", "plugin_name": "totp"})),
        (
            "b",
            json!({"type": "plugin", "plugin_name": "nope", "config": {"plugin_name": "totp"}}),
        ),
    ] {
        node.post(&format!("sys/mounts/{mount}"), body)
            .await
            .nothing();
        let read = node.get(&format!("sys/mounts/{mount}")).await.data();
        assert_eq!(read["type"], "totp");
    }
}

#[tokio::test]
async fn tuning_changes_what_is_given() {
    let node = mounted(&["m"]).await;
    let tune = async |body| node.post("sys/mounts/m/tune", body).await.nothing();
    let tuned = async || node.get("sys/mounts/m/tune").await.data();
    let untouched = json!({
        "default_lease_ttl": 2_764_800, "description": "", "force_no_cache": false,
        "max_lease_ttl": 2_764_800,
    });
    assert_eq!(tuned().await, untouched);
    tune(json!({
        "default_lease_ttl": "30m", "max_lease_ttl": 7200, "description": "d",
        "listing_visibility": "unauth", "audit_non_hmac_request_keys": "a, b",
        "passthrough_request_headers": ["X"], "options": {"z": "y"},
    }))
    .await;
    let expected = json!({
        "default_lease_ttl": 1800, "max_lease_ttl": 7200, "description": "d",
        "force_no_cache": false, "listing_visibility": "unauth",
        "audit_non_hmac_request_keys": ["a", "b"], "passthrough_request_headers": ["X"],
        "options": {"z": "y"},
    });
    assert_eq!(tuned().await, expected);
    // Neither of these is a change.
    tune(json!({})).await;
    tune(json!({"default_lease_ttl": "", "description": null, "force_no_cache": true})).await;
    assert_eq!(tuned().await, expected);
    // What was not asked for does not change with what was.
    node.post(
        "sys/mounts/m/tune",
        json!({"description": "new", "max_lease_ttl": "10m"}),
    )
    .await
    .refused("backend max lease TTL of 600 would be less than backend default lease TTL of 1800");
    assert_eq!(tuned().await, expected);
    tune(json!({
        "default_lease_ttl": "system", "max_lease_ttl": "system", "description": "",
        "listing_visibility": "", "audit_non_hmac_request_keys": "",
        "passthrough_request_headers": [""], "options": {"z": ""},
    }))
    .await;
    assert_eq!(tuned().await, untouched);
}

#[tokio::test]
async fn mistakes_of_tuning_have_vaults_texts() {
    let node = mounted(&["m"]).await;
    let check = async |path: &str, body: Value, text: &str| {
        node.post(path, body).await.refused(text);
    };
    let m = "sys/mounts/m/tune";
    check(
        m,
        json!({"listing_visibility": "zz"}),
        "invalid listing_visibility zz",
    )
    .await;
    check(
        m,
        json!({"token_type": "service"}),
        "'token_type' can only be modified on auth mounts",
    )
    .await;
    check(
        m,
        json!({"user_lockout_config": {}}),
        "tuning of user lockout configuration for auth type \"kv\" not allowed",
    )
    .await;
    check(
        m,
        json!({"plugin_version": ""}),
        "version \"\" is not a valid semantic version: malformed version: ",
    )
    .await;
    // That there is no mount comes before what is wrong with the rest.
    check(
        "sys/mounts/nope/tune",
        json!({"default_lease_ttl": "bad", "user_lockout_config": {}}),
        "tune of path \"nope/\" failed: no mount entry found",
    )
    .await;
    check(
        "sys/mounts/auth/nope/tune",
        json!({}),
        "tune of path \"auth/nope/\" failed: no mount entry found",
    )
    .await;
    check(
        "sys/auth/nope/tune",
        json!({}),
        "tune of path \"auth/nope/\" failed: no mount entry found",
    )
    .await;
    check(
        "sys/mounts/sys/tune",
        json!({"description": "x"}),
        "cannot tune parameter description of sys/",
    )
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let node = mounted(&["m"]).await;
    let check = async |path: &str, text: &str| node.get(path).await.refused(text);
    check("sys/mounts/nope", "No secret engine mount at nope/").await;
    check("sys/auth/nope", "No auth engine at nope/").await;
    check(
        "sys/mounts/nope/tune",
        "cannot fetch sysview for path \"nope/\"",
    )
    .await;
    check(
        "sys/auth/nope/tune",
        "cannot fetch sysview for path \"auth/nope/\"",
    )
    .await;
    for path in ["sys/mounts/", "sys/auth/"] {
        for operation in [Operation::Read, Operation::List] {
            node.ask(operation, path, json!({}))
                .await
                .fails(ErrorKind::NotFound, &wrapped("unsupported path"));
        }
    }
    // A path below a mount is the mount's.
    let mount = node.get("sys/mounts/m").await.data();
    assert_eq!(node.get("sys/mounts/m/x").await.data(), mount);
}

#[tokio::test]
async fn unmounting_is_idempotent_and_spares_what_is_always_there() {
    let node = mounted(&["m"]).await;
    node.delete("sys/mounts/m").await.nothing();
    node.delete("sys/mounts/m").await.nothing();
    node.get("sys/mounts/m")
        .await
        .refused("No secret engine mount at m/");
    node.delete("sys/mounts/sys")
        .await
        .refused("cannot unmount \"sys/\"");
    node.delete("sys/mounts/auth/a")
        .await
        .refused("cannot unmount \"auth/a/\"");
    node.delete("sys/auth/nope").await.nothing();
    node.delete("sys/auth/token")
        .await
        .refused("token credential backend cannot be disabled");
}

#[tokio::test]
async fn auth_methods_are_refused_in_their_own_words() {
    let node = Node::start().await;
    let check = async |body: Value, text: &str| node.post("sys/auth/a", body).await.refused(text);
    check(json!({}), "backend type must be specified as a string").await;
    check(json!({"type": "kv"}), "plugin not found in the catalog: kv").await;
    check(
        json!({"type": "token"}),
        "token credential backend cannot be instantiated",
    )
    .await;
    check(
        json!({"type": "x", "config": {"token_type": "zz"}}),
        "invalid value for 'token_type'",
    )
    .await;
    check(
        json!({"type": "x", "config": {"default_lease_ttl": []}}),
        "unable to convert given auth config information",
    )
    .await;
}

#[tokio::test]
async fn a_moved_mount_is_the_same_elsewhere() {
    let node = mounted(&["m2/sub", "other"]).await;
    node.post("m2/sub/a", json!({"b": "c"})).await.nothing();
    let mut before = node.get("sys/mounts/m2/sub").await.data();
    let asked = node
        .post("sys/remount", json!({"from": "m2/sub", "to": "moved"}))
        .await;
    let (data, warnings) = asked.warned();
    assert_eq!(warnings.len(), 1);
    let id = data["migration_id"].as_str().unwrap();
    let status = loop {
        let status = node.get(&format!("sys/remount/status/{id}")).await.data();
        if status["migration_info"]["status"] != "in-progress" {
            break status;
        }
        tokio::task::yield_now().await;
    };
    let info = json!({"source_mount": "m2/sub/", "target_mount": "moved/", "status": "success"});
    assert_eq!(status, json!({"migration_id": id, "migration_info": info}));
    assert_eq!(node.get("moved/a").await.data(), json!({"b": "c"}));
    assert_eq!(
        node.get("sys/mounts/moved").await.data().as_object_mut(),
        before.as_object_mut()
    );
    node.get("sys/mounts/m2/sub")
        .await
        .refused("No secret engine mount at m2/sub/");
    node.get("sys/remount/status/nope").await.nothing();

    let check = async |body: Value, text: &str| node.post("sys/remount", body).await.refused(text);
    let missing = "both 'from' and 'to' path must be specified as a string";
    check(json!({}), missing).await;
    check(json!({"from": "moved"}), missing).await;
    check(
        json!({"from": "nope", "to": "x"}),
        "no matching mount at \"nope/\"",
    )
    .await;
    check(
        json!({"from": "moved", "to": "other"}),
        "path already in use at \"other/\"",
    )
    .await;
    check(json!({"from": "sys", "to": "x"}), "cannot remount \"sys/\"").await;
    check(
        json!({"from": "moved", "to": "sys/x"}),
        "cannot remount to destination sys/x/",
    )
    .await;
}
