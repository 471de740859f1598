//! What other servers and broken stores leave, and what is done with it.

use super::*;
use std::pin::{Pin, pin};

const TP: &str = r#"{"name":"tp","type":3,"version":"v1.0.0","command":"tp1","args":null,"env":null,"sha256":"ERERERERERERERERERERERERERERERERERERERERERE=","builtin":false,"oci":false,"declarative":true,"future":[1.50,{"b":2}]}"#;

#[tokio::test]
async fn what_is_not_understood_is_kept_and_not_used() {
    let world = World::new().await;
    let builtin = TP
        .replace("\"tp\"", "\"kv\"")
        .replace("\"builtin\":false", "\"builtin\":true");
    let kept = [
        ("old", r#"{"name":"old","command":"old"}"#),
        (
            "kms/k/v1.0.0",
            r#"{"name":"k","type":4,"version":"v1.0.0"}"#,
        ),
        ("secret/broken", "no json"),
        ("secret/nameless", r#"{"type":3}"#),
        ("secret/builtin", builtin.as_str()),
        (
            "secret/short",
            r#"{"name":"short","type":3,"sha256":"AAAA"}"#,
        ),
        (
            "pinned/secret/tp",
            r#"{"name":"tp","type":1,"version":"v1.0.0"}"#,
        ),
        (
            "pinned/secret/a/b",
            r#"{"name":"a/b","type":3,"version":"v1.0.0"}"#,
        ),
        (
            "pinned/secret/empty",
            r#"{"name":"empty","type":3,"version":""}"#,
        ),
    ];
    for (key, value) in kept {
        world.write(key, value).await;
    }
    let spent = world.reopened().await;
    spent.upgrade_untyped(&ctx()).await;
    world.write("secret/tp/v1.0.0", TP).await;
    world
        .write(
            "pinned/secret/other",
            r#"{"name":"other","type":"secret","version":"v2.0.0"}"#,
        )
        .await;
    let damaged = Key::from("core/plugin-catalog/secret/damaged");
    let mut batch = Batch::new();
    batch.put(damaged.clone(), vec![0; 64]);
    storage::Storage::commit(&*world.disk, batch).await.unwrap();

    let opened = world.reopened().await;
    assert_eq!(listed(&opened), ["secret plugin \"tp\" version v1.0.0"]);
    assert_eq!(pinned(&opened), ["secret/other v2.0.0"]);
    register(&opened, tp("1.1.0")).await.unwrap();
    for (key, value) in kept {
        assert_eq!(world.stored(key).await.as_deref(), Some(value), "{key}");
    }
    let raw = storage::Storage::get(&*world.disk, &damaged).await.unwrap();
    assert_eq!(raw.unwrap().to_vec(), vec![0; 64]);
}

#[tokio::test]
async fn what_other_products_keep_in_a_record_survives_an_overwrite() {
    let world = World::new().await;
    world.write("secret/tp/v1.0.0", TP).await;
    let opened = world.reopened().await;
    let overwrite = Registration {
        sha256: OTHER.to_owned(),
        ..tp("1.0.0")
    };
    register(&opened, overwrite).await.unwrap();
    let record = world.stored("secret/tp/v1.0.0").await.unwrap();
    let rest = r#""declarative":true,"future":[1.50,{"b":2}]}"#;
    assert!(
        record.contains("IiIi") && record.ends_with(rest),
        "{record}"
    );
}

#[tokio::test]
async fn a_record_says_itself_which_plugin_it_is() {
    let world = World::new().await;
    // Where a server without types kept it, and under its version in another form.
    world.write("tp", TP).await;
    world.write("secret/tp/1.0.0", TP).await;
    let opened = world.reopened().await;
    assert_eq!(listed(&opened), ["secret plugin \"tp\" version v1.0.0"]);
    // Stored once more, the record in its own place counts.
    let own = TP.replace("\"args\":null", "\"args\":[\"--own\"]");
    world.write("secret/tp/v1.0.0", &own).await;
    let opened = world.reopened().await;
    assert_eq!(entry(&opened, "v1.0.0").unwrap().args, ["--own"]);
    // Registered anew it is in its own place, and nowhere else.
    register(&opened, tp("1.0.0")).await.unwrap();
    for key in ["tp", "secret/tp/1.0.0"] {
        assert_eq!(world.stored(key).await, None, "{key}");
    }
    assert!(world.stored("secret/tp/v1.0.0").await.is_some());
    // Deregistered, it does not come back from another place.
    world.write("tp", TP).await;
    let opened = world.reopened().await;
    deregister(&opened, "tp", Some("1.0.0")).await.unwrap();
    assert_eq!(listed(&world.reopened().await), [""; 0]);
}

#[tokio::test]
async fn an_entry_is_not_written_over_another_one_of_the_same_key() {
    let world = World::new().await;
    let slashed = TP
        .replace(r#""name":"tp""#, r#""name":"tp/v1.0.0""#)
        .replace(r#""version":"v1.0.0""#, r#""version":"""#);
    world.write("secret/tp/v1.0.0", &slashed).await;
    let opened = world.reopened().await;
    let outcome = register(&opened, tp("1.0.0")).await;
    let (kind, texts) = refusal(outcome);
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert!(texts.concat().contains("\"tp/v1.0.0\""), "{texts:?}");
    assert_eq!(world.stored("secret/tp/v1.0.0").await, Some(slashed));
    deregister(&opened, "tp/v1.0.0", None).await.unwrap();
    register(&opened, tp("1.0.0")).await.unwrap();
    assert_eq!(listed(&opened), ["secret plugin \"tp\" version v1.0.0"]);
}

#[tokio::test]
async fn what_is_not_stored_is_not_seen() {
    let world = World::new().await;
    register(&world.plugins, tp("1.0.0")).await.unwrap();
    world.barrier.seal();
    for outcome in [
        register(&world.plugins, tp("1.1.0")).await,
        deregister(&world.plugins, "tp", Some("1.0.0")).await,
    ] {
        assert_eq!(refusal(outcome).0, ErrorKind::Unavailable);
    }
    pin(&world.plugins, "tp", "1.0.0").await.unwrap_err();
    assert_eq!(
        listed(&world.plugins),
        ["secret plugin \"tp\" version v1.0.0"]
    );
    assert!(pinned(&world.plugins).is_empty());
}

#[tokio::test]
async fn nothing_is_seen_before_it_is_durable() {
    let world = World::new().await;
    let tp1 = ["secret plugin \"tp\" version v1.0.0"];
    let slowly = async |mut work: Pin<&mut (dyn Future<Output = bool> + '_)>, before: &[&str]| {
        world.disk.is_slow.store(true, SeqCst);
        until_it_waits(work.as_mut()).await;
        assert_eq!(seen(&world.plugins), before);
        world.disk.is_slow.store(false, SeqCst);
        world.disk.finish.notify_one();
        assert!(work.await);
    };
    let plugins = &world.plugins;
    let ctx = ctx();
    let work = async { register(plugins, tp("1.0.0")).await.is_ok() };
    slowly(pin!(work), &[]).await;
    assert_eq!(seen(plugins), tp1);
    let work = async { pin(plugins, "tp", "1.0.0").await.is_ok() };
    slowly(pin!(work), &tp1).await;
    let pinned = [tp1[0], "secret/tp v1.0.0"];
    assert_eq!(seen(plugins), pinned);
    let unpin = plugins.unpin(&ctx, PluginType::Secret, "tp");
    slowly(pin!(async { unpin.await.is_ok() }), &pinned).await;
    assert_eq!(seen(plugins), tp1);
    let work = async { deregister(plugins, "tp", Some("1.0.0")).await.is_ok() };
    slowly(pin!(work), &tp1).await;
    assert_eq!(seen(plugins), [""; 0]);
}

/// Entries and pins.
fn seen(plugins: &Plugins) -> Vec<String> {
    [listed(plugins), pinned(plugins)].concat()
}

#[tokio::test]
async fn what_was_stored_is_seen_even_if_the_store_lost_the_answer() {
    let world = World::new().await;
    world.disk.loses_answers.store(true, SeqCst);
    register(&world.plugins, tp("1.0.0")).await.unwrap_err();
    let stored = ["secret plugin \"tp\" version v1.0.0"];
    assert_eq!(listed(&world.plugins), stored);
    assert_eq!(listed(&world.reopened().await), stored);
    let lookup = world.plugins.catalog();
    let totp = lookup.lookup(PluginType::Secret, "totp", None);
    assert!(matches!(totp, Some(Resolved::Builtin(_))), "built-ins stay");
}
