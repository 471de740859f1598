//! The example plugin of the SDK in servers that were not written for it: the whole life of a Rust plugin inside a stock OpenBao, and the same
//! in ours. Checks P3 and P17 of plugin-protocol §8: OpenBao is the Go peer that accepts the plugin's TLS, as client and as server.

use linchpin_testkit::{Expect, Process, Product, Target, binary, run, until};
use serde_json::{Value, json};

#[test]
fn p03_a_go_host_accepts_its_certificate_in_both_directions() {
    run(Product::OpenBao, a_call_each_way);
}

#[test]
fn p17_full_life_under_stock_openbao() {
    run(Product::OpenBao, full_life);
}

#[test]
fn the_example_plugin_has_the_same_life_in_linchpin() {
    run(Product::Linchpin, full_life);
}

/// The server with the example in its catalog, and that many mounts of it, `m1` and so on.
async fn with_mounts(product: Product, mounts: usize) -> Target {
    let t = Target::start(product).await;
    t.plugins().install("greeter", &binary("greeter"));
    t.register("greeter", "", "greeter", json!({})).await.ok();
    for number in 1..=mounts {
        t.mount(&format!("m{number}"), "greeter", json!({}))
            .await
            .ok();
    }
    t
}

/// The host calls the plugin, which calls the host's storage back: each is the TLS server of the other once.
async fn a_call_each_way(product: Product) {
    let t = with_mounts(product, 1).await;
    t.post("m1/roles/friend", json!({"ttl": "1m"})).await.ok();
    t.get("m1/roles/friend").await.has("/data/ttl", 60);
    let log = t.server().log();
    for word in ["bad certificate", "handshake failed", "remote error: tls"] {
        assert!(!log.contains(word), "{word} in the log:\n{log}");
    }
}

async fn full_life(product: Product) {
    let t = with_mounts(product, 2).await;
    let pids = t.plugin_pids();
    assert_eq!(pids.len(), 1, "two mounts in one process: {pids:?}");
    let pid = pids[0];
    // The version that it reports is the one that runs.
    let mounts = t.get("sys/mounts").await.ok().data();
    assert_eq!(mounts["m1/"]["running_plugin_version"], "v0.1.0");

    values(&t).await;
    answers(&t).await;
    let lease = if t.is_ours() {
        no_lease_yet(&t).await;
        None
    } else {
        Some(leases(&t).await)
    };

    Process::kill(pid);
    until("both mounts serve again", || async {
        let all = [t.get("m1/roles/friend").await, t.get("m2/config").await];
        all.iter().all(|reply| reply.status() == 200).then_some(())
    })
    .await;
    let after: Vec<u32> = t.plugin_pids();
    assert_eq!(after.len(), 1, "both are in one new process: {after:?}");
    assert_ne!(after, [pid]);

    for mount in ["m1", "m2"] {
        t.reload(&format!("{mount}/")).await.ok();
        t.get(&format!("{mount}/config")).await.ok();
    }
    t.get("m1/roles/friend").await.has("/data/ttl", 60);
    let log = t.server().log();
    assert!(!log.contains("no multiplexing ID"), "{log}");

    // A lease of before the crash and the reload is revoked by its new instance.
    if let Some(lease) = lease {
        t.put(
            "sys/leases/revoke",
            json!({"lease_id": lease, "sync": true}),
        )
        .await
        .ok();
        t.list("m1/guests").await.is(404);
        // Unmounting revokes what is left.
        t.get("m1/creds/friend").await.ok();
    }
    t.delete("sys/mounts/m1").await.ok();
    t.get("m1/config").await.is(404);
    t.get("m2/config").await.ok();
    assert_eq!(
        t.plugin_pids().len(),
        1,
        "the other mount keeps its process"
    );
    t.delete("sys/mounts/m2").await.ok();
    until("the last process ends", || async {
        t.plugin_pids().is_empty().then_some(())
    })
    .await;
}

/// Create, read, update, list, delete; and nothing of it in the other mount.
async fn values(t: &Target) {
    t.get("m1/roles/friend").await.is(404);
    t.list("m1/roles").await.is(404);
    let role = json!({"ttl": "1m", "max_ttl": 600});
    t.post("m1/roles/friend", role).await.is(204);
    t.get("m1/roles/friend")
        .await
        .is(200)
        .has("/data/ttl", 60)
        .has("/data/max_ttl", 600);
    t.get("m2/roles/friend").await.is(404);
    t.post("m1/roles/guest", json!({}))
        .await
        .is(200)
        .warns("no ttl");
    t.list("m1/roles")
        .await
        .has("/data/keys", json!(["friend", "guest"]));
    t.delete("m1/roles/guest").await.is(204);
    t.list("m1/roles")
        .await
        .has("/data/keys", json!(["friend"]));
    t.post("m1/config", json!({"greeting": "Hello"}))
        .await
        .is(204);
}

/// Raw answers, help, and errors of every kind that a plugin can give.
async fn answers(t: &Target) {
    let card = t.get("m1/card/bob").await.is(200);
    assert_eq!(card.body(), b"Hello, bob!\n");
    assert_eq!(
        card.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(t.get("m2/card/bob").await.body(), b"Welcome, bob!\n");
    let help = t.get("m1/roles/x?help=1").await.ok();
    let text = help.at("/help");
    let text = text.as_str().unwrap_or_default().to_owned()
        + help.at("/data/help").as_str().unwrap_or_default();
    assert!(text.contains("How long a guest stays."), "{text}");

    t.get("m1/creds/nobody")
        .await
        .is(400)
        .error_has("there is no role");
    t.post("m1/roles/x", json!({"ttl": "2h", "max_ttl": "1h"}))
        .await
        .is(400)
        .error_has("ttl is longer than max_ttl");
    t.post("m1/roles/x", json!({"ttl": "soon"}))
        .await
        .is(400)
        .error_has("Field validation failed");
    t.delete("m1/creds/friend")
        .await
        .is(405)
        .error_has("unsupported operation");
    t.get("m1/nowhere")
        .await
        .is(404)
        .error_has("unsupported path");
}

/// Issue, look up, renew and revoke. Returns the id of one that is left.
async fn leases(t: &Target) -> String {
    let issued = t.get("m1/creds/friend").await.is(200);
    let whole = issued.json().unwrap();
    assert_eq!(
        (&whole["renewable"], &whole["lease_duration"]),
        (&json!(true), &json!(60))
    );
    let id = whole["lease_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("m1/creds/friend/"), "{id}");
    let text = whole.to_string();
    assert!(!text.contains("secret_type"), "internal data: {text}");
    let guest = issued.at("/data/guest");
    t.list("m1/guests").await.has("/data/keys", json!([guest]));

    // Twice: what the plugin answers to the first renewal is what the second one sends.
    for increment in [120, 90] {
        let body = json!({"lease_id": id, "increment": increment});
        let renewed = t.put("sys/leases/renew", body).await.ok().json().unwrap();
        let duration = renewed["lease_duration"].as_i64().unwrap();
        assert!((increment - 5..=increment).contains(&duration), "{renewed}");
    }
    let body = json!({"lease_id": id, "sync": true});
    t.put("sys/leases/revoke", body).await.ok();
    t.list("m1/guests").await.is(404);
    // What is kept in it is a guest who is gone: revoking fails no more than once.
    let next: Value = t.get("m1/creds/friend").await.ok().json().unwrap();
    next["lease_id"].as_str().unwrap().to_owned()
}

/// Our server keeps no leases yet: it revokes what it cannot keep, and says so.
async fn no_lease_yet(t: &Target) {
    t.get("m1/creds/friend")
        .await
        .is(500)
        .error_has("revoked at once");
    t.list("m1/guests").await.is(404);
}
