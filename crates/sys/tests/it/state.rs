//! The state of the server, and what user interfaces ask. Cases 56, 66 and 76 of core-api §12 too.

use crate::node::Node;
use linchpin_model::{ErrorKind, Operation, SERVER_VERSION};
use serde_json::{Value, json};

#[tokio::test]
async fn bare_endpoints_answer_documents_without_a_token() {
    let node = Node::start().await;
    let (status, body) = node.get_as_nobody("sys/health").await.bare();
    assert_eq!(status, 200);
    let time: Value = serde_json::from_str(&body).unwrap();
    let time = &time["server_time_utc"];
    assert_eq!(
        body,
        format!(
            "{{\"initialized\":true,\"sealed\":false,\"standby\":false,\"performance_standby\":false,\
             \"replication_performance_mode\":\"disabled\",\"replication_dr_mode\":\"disabled\",\
             \"server_time_utc\":{time},\"version\":\"{SERVER_VERSION}\",\"enterprise\":false,\
             \"cluster_name\":\"cluster\",\"cluster_id\":\"id\",\"echo_duration_ms\":0,\"clock_skew_ms\":0,\
             \"replication_primary_canary_age_ms\":0,\"removed_from_cluster\":false}}\n"
        )
    );
    let (_, body) = node.get_as_nobody("sys/seal-status").await.bare();
    assert!(
        body.starts_with("{\"type\":\"shamir\",\"initialized\":true,\"sealed\":false,\"t\":1,\"n\":1,\"progress\":0,")
            && body.ends_with(",\"cluster_name\":\"cluster\",\"cluster_id\":\"id\",\"storage_type\":\"inmem\"}\n"),
        "{body}"
    );
    let (_, body) = node.get_as_nobody("sys/leader").await.bare();
    assert!(
        body.starts_with("{\"ha_enabled\":false,\"is_self\":false,"),
        "{body}"
    );
    let (_, body) = node.get_as_nobody("sys/init").await.bare();
    assert_eq!(body, "{\"initialized\":true}\n");
}

#[tokio::test]
async fn the_parameters_of_health_choose_its_status() {
    let node = Node::start().await;
    let health = async |operation, parameters| node.ask(operation, "sys/health", parameters).await;
    let read = Operation::Read;
    assert_eq!(
        health(read, json!({"activecode": "418"})).await.bare().0,
        418
    );
    let head = Operation::Header;
    assert_eq!(
        health(head, json!({"activecode": "222"})).await.bare().0,
        222
    );
    let error = health(read, json!({"activecode": "abc"})).await.error();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.rendered().is_empty());
    let error = node.post("sys/health", json!({})).await.error();
    assert_eq!(error.kind(), ErrorKind::UnsupportedOperation);
    assert!(error.rendered().is_empty());
    node.post("sys/init", json!({"secret_shares": 1}))
        .await
        .refused("Vault is already initialized");
}

#[tokio::test]
async fn what_needs_a_token_is_not_answered_without_one() {
    let node = Node::start().await;
    for path in [
        "sys/mounts",
        "sys/auth",
        "sys/plugins/catalog",
        "sys/plugins/pins",
        "sys/internal/ui/mounts/sys",
        "sys/internal/ui/namespaces",
    ] {
        node.get_as_nobody(path)
            .await
            .fails(ErrorKind::PermissionDenied, "permission denied");
    }
}

#[tokio::test]
async fn only_mounts_that_want_to_be_found_are_shown_to_everybody() {
    let node = Node::start().await;
    for mount in ["hidden", "shown"] {
        node.post(&format!("sys/mounts/{mount}"), json!({"type": "kv"}))
            .await
            .nothing();
    }
    let everybody = node.get_as_nobody("sys/internal/ui/mounts").await.data();
    assert_eq!(everybody, json!({"auth": {}, "secret": {}}));
    node.post(
        "sys/mounts/shown/tune",
        json!({"listing_visibility": "unauth"}),
    )
    .await
    .nothing();
    let everybody = node.get_as_nobody("sys/internal/ui/mounts").await.data();
    assert_eq!(
        everybody,
        json!({"auth": {}, "secret": {"shown/": {"description": "", "options": {}, "type": "kv"}}})
    );
    let root = node.get("sys/internal/ui/mounts").await.data();
    let secret = root["secret"].as_object().unwrap();
    assert_eq!(
        secret.keys().collect::<Vec<_>>(),
        ["hidden/", "shown/", "sys/"]
    );
    assert_eq!(
        secret["hidden/"],
        node.get("sys/mounts/hidden").await.data()
    );
}

#[tokio::test]
async fn a_path_tells_its_mount() {
    let node = Node::start().await;
    node.post("sys/mounts/team/a", json!({"type": "kv"}))
        .await
        .nothing();
    for below in ["team/a", "team/a/b/c"] {
        let path = format!("sys/internal/ui/mounts/{below}");
        assert_eq!(node.get(&path).await.data()["path"], "team/a/");
    }
    node.get("sys/internal/ui/mounts/nope").await.fails(
        ErrorKind::PermissionDenied,
        "preflight capability check returned 403, please ensure client's policies grant access to path \"nope/\"",
    );
    let acl = node.get("sys/internal/ui/resultant-acl").await.data();
    assert_eq!(acl, json!({"root": true}));
    assert_eq!(
        node.get("sys/internal/ui/namespaces").await.data(),
        json!({})
    );
}

#[tokio::test]
async fn the_api_document_has_every_mount() {
    let node = Node::start().await;
    node.post("sys/mounts/team/a", json!({"type": "totp"}))
        .await
        .nothing();
    let document = |(status, body): (u16, String)| {
        assert_eq!(status, 200);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let whole = document(node.get("sys/internal/specs/openapi").await.bare());
    assert_eq!(whole["openapi"], "3.0.2");
    assert_eq!(whole["info"]["version"], SERVER_VERSION);
    let paths = whole["paths"].as_object().unwrap();
    for path in ["/sys/mounts/{path}", "/team/a/keys/{name}"] {
        assert!(paths.contains_key(path), "{path}");
    }
    let parameters = json!({"generic_mount_paths": true, "context": "x"});
    let generic = node.post("sys/internal/specs/openapi", parameters).await;
    let generic = document(generic.bare());
    assert!(
        generic["paths"]
            .get("/{team_a_mount_path}/keys/{name}")
            .is_some()
    );
    let nobody = node.get_as_nobody("sys/internal/specs/openapi").await;
    assert_eq!(document(nobody.bare())["paths"], json!({}));
}

#[tokio::test]
async fn every_path_has_help() {
    let node = Node::start().await;
    let help = node
        .ask(Operation::Help, "sys/mounts/m", json!({}))
        .await
        .data();
    let text = help["help"].as_str().unwrap();
    assert!(text.contains("listing_visibility"), "{text}");
}
