//! The example plugin `greeter` in memory: how a plugin is tested.

#[path = "../../examples/greeter/backend.rs"]
mod backend;
#[path = "../../examples/greeter/house.rs"]
mod house;

use std::time::Duration;

use linchpin_plugin_sdk::model::ErrorKind;
use linchpin_plugin_sdk::testing::Harness;
use serde_json::{Value, json};

async fn mount() -> Harness {
    Harness::new(|setup| async move { backend::create(&setup) })
        .await
        .unwrap()
}

#[tokio::test]
async fn roles_are_written_read_listed_and_deleted() {
    let mount = mount().await;
    assert!(mount.read("roles/friend").await.unwrap().is_none());
    mount
        .write("roles/friend", &json!({"ttl": "1h", "max_ttl": "2h"}))
        .await
        .unwrap();
    let role: Value = mount.read_as("roles/friend").await.unwrap().unwrap();
    assert_eq!(role, json!({"ttl": 3600, "max_ttl": 7200}));
    assert_eq!(mount.list("roles").await.unwrap(), ["friend"]);
    mount.delete("roles/friend").await.unwrap();
    assert!(mount.list("roles").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_a_bad_request() {
    let mount = mount().await;
    for (path, body) in [
        ("roles/x", json!({"ttl": "2h", "max_ttl": "1h"})),
        ("roles/x", json!({"ttl": "soon"})),
        ("config", json!({})),
    ] {
        let error = mount.write(path, &body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{path}: {error}");
    }
    let error = mount.read("creds/nobody").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no role \"nobody\"");
}

#[tokio::test]
async fn a_guest_stays_as_long_as_the_lease() {
    let mut mount = mount().await;
    let role = json!({"ttl": 60, "max_ttl": 600});
    mount.write("roles/friend", &role).await.unwrap();
    let mut lease = mount.lease("creds/friend").await.unwrap();
    assert_eq!(lease.secret.lease.ttl, Duration::from_secs(60));
    assert_eq!(mount.list("guests").await.unwrap().len(), 1);
    mount.reload().await.unwrap();
    mount.renew(&mut lease, Duration::ZERO).await.unwrap();
    assert_eq!(lease.secret.lease.max_ttl, Duration::from_secs(600));
    for _ in 0..2 {
        mount.revoke(&lease).await.unwrap();
    }
    assert!(mount.list("guests").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_guest_without_a_lease_is_shown_out() {
    let mount = mount().await;
    mount
        .write("roles/friend", &json!({"ttl": 60}))
        .await
        .unwrap();
    // What is left when the process ends right after the guest was let in.
    let guest = json!({"key": "k"});
    mount.memory().put("house/friend-1", &guest).unwrap();
    let data = json!({"guest": "friend-1", "role": "friend"});
    let entry = json!({"type": "let_in", "data": data, "created_at": 0});
    mount.memory().put("wal/1", &entry).unwrap();
    mount.rollback().await.unwrap();
    assert!(mount.list("guests").await.unwrap().is_empty());
    let status: Value = mount.read_as("status").await.unwrap().unwrap();
    assert_eq!(status["rounds"], 1);
    assert!(
        !mount
            .memory()
            .keys()
            .iter()
            .any(|key| key.starts_with("wal/"))
    );
}

#[tokio::test]
async fn the_configuration_is_read_again_when_it_was_changed_elsewhere() {
    let mount = mount().await;
    let card = async || {
        let answer = mount.read("card/bob").await.unwrap().unwrap();
        String::from_utf8(answer.raw.unwrap().body.to_vec()).unwrap()
    };
    assert_eq!(card().await, "Welcome, bob!\n");
    let config = json!({"greeting": "Hello"});
    mount.memory().put("config", &config).unwrap();
    assert_eq!(card().await, "Welcome, bob!\n");
    mount.invalidate("config").await;
    assert_eq!(card().await, "Hello, bob!\n");
}
