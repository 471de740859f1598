//! What the Terraform provider `vault` sends and needs back, call by call, as recorded pairs: `tests/golden/terraform/*.txt`, a file for each
//! section of its specification. The test writes down what the server cannot serve yet, and notices when it can.

use std::path::Path;
use std::sync::Arc;

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::golden::{self, Masks};
use linchpin_testkit::{Expect, Product, Target, binary, cases};
use serde_json::{Value, json};
use tokio::task::JoinSet;

cases! {
    linchpin:
        the_start_of_a_command,
        vault_plugin,
        vault_plugin_pinned_version,
        vault_mount,
        auth_mounts,
        everything_else,
        the_version_opens_every_gate_and_is_no_enterprise,
        what_is_not_served_yet_is_known,
        what_only_vault_acts_on_comes_back,
        two_versions_are_registered_at_the_same_moment,
        ten_mounts_are_made_and_removed_at_the_same_moment;
}

/// Calls of the provider that later issues bring, with what they need. When one of them is served it belongs into a golden file.
const NOT_YET: &[(&str, &str, &str)] = &[
    ("GET", "auth/token/lookup-self", "tokens (§2)"),
    ("POST", "auth/token/create", "tokens (§2, §8)"),
    ("POST", "auth/token/lookup-accessor", "tokens (§8)"),
    ("POST", "auth/token/revoke-accessor", "tokens (§8)"),
    ("PUT", "sys/policies/acl/n", "policies (§8)"),
    ("GET", "sys/policies/acl/n", "policies (§8)"),
    ("PUT", "auth/approle/role/app/secret-id", "AppRole (§8)"),
    ("PUT", "identity/entity", "identity (§8)"),
    ("PUT", "identity/lookup/entity", "identity (§8)"),
    ("PUT", "sys/audit/p", "audit devices (§8)"),
    ("GET", "sys/audit", "audit devices (§8)"),
    (
        "GET",
        "sys/config/auditing/request-headers/x",
        "audit devices (§8)",
    ),
    ("PUT", "sys/quotas/rate-limit/q", "quotas (§3)"),
    ("PUT", "sys/policies/password/p", "password policies (§3)"),
    ("PUT", "transit/keys/k", "the engine transit (§8)"),
    ("PUT", "transit/cache-config", "the engine transit (§8)"),
];

/// Fields of a mount's `config` that the provider sends when its user sets them (§6) and reads back. Nothing here acts on them, nor does
/// OpenBao keep them.
const KEPT: &[(&str, &str)] = &[
    ("allowed_managed_keys", r#"["x","y"]"#),
    ("delegated_auth_accessors", r#"["auth_a"]"#),
    ("identity_token_key", r#""k""#),
];

/// Plays one file on a server of its own.
async fn recorded(product: Product, file: &str) {
    let t = Target::start(product).await;
    t.plugins().install("my-kv-1.0.0", &binary("fault-v1"));
    t.plugins().install("my-kv-1.1.0", &binary("fault-v2"));
    let status = t.get("sys/seal-status").await;
    let (version, cluster) = (status.at("/version"), status.at("/cluster_name"));
    let masks = Masks::default()
        .with("sha256 of 1.0.0", &t.digest("my-kv-1.0.0"))
        .with("sha256 of 1.1.0", &t.digest("my-kv-1.1.0"))
        .with("cluster name", cluster.as_str().expect("a name"))
        .with("server version", version.as_str().expect("a version"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/terraform");
    let played = golden::play(&t, &folder.join(file), &masks, dress).await;
    assert!(played > 0, "{file} is empty");
}

/// What the provider sends along with every call (§1).
fn dress(request: Request) -> Request {
    let headers = [
        ("user-agent", "Go-http-client/1.1"),
        ("accept-encoding", "gzip"),
    ];
    headers.into_iter().fold(request, |request, (name, value)| {
        let name = name.parse().expect("the name of a header");
        request.header(name, value.parse().expect("its value"))
    })
}

async fn the_start_of_a_command(product: Product) {
    recorded(product, "2-start.txt").await;
}

async fn vault_plugin(product: Product) {
    recorded(product, "4-plugin.txt").await;
}

async fn vault_plugin_pinned_version(product: Product) {
    recorded(product, "5-pinned-version.txt").await;
}

async fn vault_mount(product: Product) {
    recorded(product, "6-mount.txt").await;
}

async fn auth_mounts(product: Product) {
    recorded(product, "7-auth-mount.txt").await;
}

async fn everything_else(product: Product) {
    recorded(product, "8-rest.txt").await;
}

/// §3: semantic version 1.21 or later, without a prerelease part, and no `ent` in the build metadata.
async fn the_version_opens_every_gate_and_is_no_enterprise(product: Product) {
    let t = Target::start(product).await;
    let version = t.get("sys/seal-status").await.is(200).at("/version");
    let version = version.as_str().expect("a version");
    let (number, metadata) = version.split_once('+').unwrap_or((version, ""));
    let parts: Vec<u32> = number
        .split('.')
        .map(|part| part.parse().expect("a release, without a prerelease part"))
        .collect();
    assert_eq!(parts.len(), 3, "{version}");
    assert!((parts[0], parts[1]) >= (1, 21), "{version}");
    assert!(!metadata.contains("ent"), "{version}");
}

/// Each of them is refused today: one that is served is missing from the golden files.
async fn what_is_not_served_yet_is_known(product: Product) {
    let t = Target::start(product).await;
    let mut served = Vec::new();
    for (method, path, needs) in NOT_YET {
        let method = method.parse::<Method>().expect("a method");
        let reply = t
            .send(dress(Request::new(method, path).json(&json!({}))))
            .await;
        // An empty 404 would be an answer: there is nothing of that name.
        let is_answer = reply.is_success() || (reply.status() == 404 && reply.errors().is_empty());
        if is_answer {
            served.push(format!("{path}: {needs}"));
        }
    }
    assert!(
        served.is_empty(),
        "these are served now, and belong into the golden files: {served:#?}"
    );
}

/// A field that comes back belongs into `6-mount.txt`.
async fn what_only_vault_acts_on_comes_back(product: Product) {
    let t = Target::start(product).await;
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let config = Value::Object(
        KEPT.iter()
            .map(|(field, text)| ((*field).to_owned(), value(text)))
            .collect(),
    );
    t.mount("m", "kv", json!({"config": config})).await.ok();
    let read = t.get("sys/mounts/m").await.ok();
    for (field, text) in KEPT {
        let kept = read.at(&format!("/data/config/{field}"));
        assert_eq!(kept, value(text), "{field}");
    }
    // Emptied fields are gone, others are as they were.
    let empty = json!({"allowed_managed_keys": [], "identity_token_key": ""});
    t.post("sys/mounts/m/tune", empty).await.ok();
    let read = t.get("sys/mounts/m/tune").await.ok();
    assert_eq!(read.at("/data/delegated_auth_accessors"), json!(["auth_a"]));
    for field in ["allowed_managed_keys", "identity_token_key"] {
        assert_eq!(read.at(&format!("/data/{field}")), Value::Null, "{field}");
    }
}

/// §1: a provider sends up to ten requests at once.
async fn two_versions_are_registered_at_the_same_moment(product: Product) {
    let t = Target::start(product).await;
    for round in 0..5 {
        let name = format!("my-kv-{round}");
        let register = async |version: &str, file: &str| {
            let body = json!({"type": "secret", "command": file, "sha256": t.digest(file), "version": version});
            t.put(&format!("sys/plugins/catalog/secret/{name}"), body)
                .await
                .ok();
        };
        tokio::join!(register("1.0.0", "tp1"), register("1.1.0", "tp2"));
        for (version, file) in [("1.0.0", "tp1"), ("1.1.0", "tp2")] {
            t.get(&format!(
                "sys/plugins/catalog/secret/{name}?version={version}"
            ))
            .await
            .is(200)
            .has("/data/command", file)
            .has("/data/sha256", t.digest(file));
        }
    }
}

async fn ten_mounts_are_made_and_removed_at_the_same_moment(product: Product) {
    let t = Arc::new(Target::start(product).await);
    t.register("my-kv", "1.0.0", "tp1", json!({})).await.ok();
    let all = async |method: Method, body: Value| {
        let mut calls = JoinSet::new();
        for number in 0..10 {
            let (t, method, body) = (Arc::clone(&t), method.clone(), body.clone());
            calls.spawn(async move {
                let path = format!("sys/mounts/parallel/{number}");
                t.send(dress(Request::new(method, &path).json(&body)))
                    .await
                    .ok()
            });
        }
        assert_eq!(calls.join_all().await.len(), 10);
    };
    let body = json!({"type": "my-kv", "description": "", "config": {"options": null, "default_lease_ttl": "0s",
        "max_lease_ttl": "0s", "force_no_cache": false}, "local": false, "seal_wrap": false,
        "external_entropy_access": false, "options": {}});
    all(Method::POST, body).await;
    for number in 0..10 {
        t.info(&format!("parallel/{number}")).await;
    }
    assert_eq!(t.plugin_pids().len(), 1, "they share a process");
    all(Method::DELETE, json!({})).await;
    // §6: the plugin can be deregistered right after.
    t.delete("sys/plugins/catalog/secret/my-kv?version=1.0.0")
        .await
        .ok()
        .silent();
}
