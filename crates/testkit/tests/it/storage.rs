//! What a server leaves in its store: exactly the keys of the storage format, and nothing that can be read without the keys.

use std::collections::{BTreeMap, BTreeSet};

use linchpin_testkit::{Expect, Product, Settings, Target, cases, switch};
use serde_json::{Value, json};

cases! {
    inspected:
        keys_match_storage_format;
}

/// What is there before anybody has asked for anything (storage-format §§2.2, 2.8, 3.3, 4.1, 4.6, 11.1).
const FROM_THE_START: &[&str] = &[
    "core/auth",
    "core/cluster/local/info",
    "core/hsm/barrier-unseal-keys",
    "core/keyring",
    "core/linchpin/flavour",
    "core/local-auth",
    "core/local-mounts",
    "core/master",
    "core/mounts",
    "core/seal-config",
    "core/shamir-kek",
];

/// Texts that are stored and must not be readable.
const SECRETS: &[&str] = &[
    "secret-of-kv",
    "secret-of-totp",
    "secret-of-the-plugin",
    "secret-of-the-environment",
    "words-about-a-mount",
    "argument-of-a-plugin",
];

async fn keys_match_storage_format(product: Product) {
    let t = Target::with(product, Settings::default().with_store_dump()).await;
    fill(&t).await;
    let reload = t.reload("m").await.is(200).at("/data/reload_id");
    let uuids = uuids(&t).await;

    let data = |mount: &str, key: &str| format!("logical/{}/{key}", uuids[mount]);
    let mut expected: BTreeSet<String> = FROM_THE_START.iter().copied().map(String::from).collect();
    expected.extend(
        [
            "core/plugin-catalog/secret/tp/v1.0.0",
            "core/plugin-catalog/secret/tp/v1.1.0",
            "core/plugin-catalog/secret/bare",
            "core/plugin-catalog/auth/bare/v2.0.0",
            "core/plugin-catalog/secret/team/kv/v1.0.0",
            "core/plugin-catalog/pinned/secret/tp",
            "core/plugin-catalog/pinned/auth/bare",
        ]
        .map(String::from),
    );
    expected.extend([
        data("things/", "app"),
        data("things/", "deep/er/app"),
        data("here/", "app"),
        data("codes/", "key/alice"),
        data("m/", "kv/one"),
        data("m/", "kv/two/three"),
        data("m/", "config"),
        format!("core/linchpin/reloads/{}", reload.as_str().unwrap()),
    ]);

    let store = t.server().store().await;
    let found: BTreeSet<String> = store.keys().into_iter().map(String::from).collect();
    assert_eq!(found, expected, "the keys that are stored");

    let mut hidden: Vec<String> = SECRETS.iter().copied().map(String::from).collect();
    hidden.extend([t.digest("tp1"), uuids["m/"].clone()]);
    let mut nonces = BTreeMap::new();
    for (key, value) in store.iter() {
        for text in &hidden {
            let readable = value
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            assert!(!readable, "{key} shows {text:?}");
        }
        match key {
            "core/seal-config" => is_seal_config(value),
            "core/hsm/barrier-unseal-keys" => is_blob(value),
            _ => {
                let (head, rest) = value.split_at_checked(17).expect("a record has a header");
                assert!(rest.len() >= 16, "{key} has no room for a tag");
                assert_eq!(head[..5], [0, 0, 0, 1, 2], "{key}: term 1, version 2");
                let other = nonces.insert(head[5..].to_vec(), key);
                assert_eq!(other, None, "{key} has the nonce of another record");
            }
        }
    }
    // The plugin stores this text as it is: header, nonce and tag are all that the barrier adds.
    let key = data("m/", "config");
    let length = store.get(&key).map(<[u8]>::len);
    assert_eq!(length, Some("secret-of-the-plugin".len() + 33));

    // The same value once more is another record, and the only one that is written.
    t.post("m/config", json!({"value": "secret-of-the-plugin"}))
        .await
        .ok();
    let again = t.server().store().await;
    assert_eq!(store.differences(&again), BTreeSet::from([key.as_str()]));

    // What is removed leaves nothing.
    for path in ["m", "things", "here", "codes"] {
        t.delete(&format!("sys/mounts/{path}")).await.ok();
    }
    for pin in ["secret/tp", "auth/bare"] {
        t.delete(&format!("sys/plugins/pins/{pin}")).await.ok();
    }
    for entry in [
        "secret/tp?version=1.0.0",
        "secret/tp?version=1.1.0",
        "secret/bare",
        "auth/bare?version=2.0.0",
        "secret/team/kv?version=1.0.0",
    ] {
        t.delete(&format!("sys/plugins/catalog/{entry}")).await.ok();
    }
    let emptied = t.server().store().await.without("core/linchpin/reloads/");
    assert_eq!(emptied.keys(), FROM_THE_START.iter().copied().collect());
}

/// Entries, pins and mounts of every kind that there is, with something in each.
async fn fill(t: &Target) {
    let hidden = json!({"env": ["A=secret-of-the-environment"], "args": ["argument-of-a-plugin"]});
    t.register("tp", "1.0.0", "tp1", hidden).await.ok();
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t.register("team/kv", "1.0.0", "tp1", json!({})).await.ok();
    // Reports no version, so that it stays unversioned.
    let silent = json!({"env": [switch::NO_VERSION]});
    t.register("bare", "", "tp1", silent).await.ok();
    t.plugins().write("plain", b"no plugin");
    let body = json!({"command": "plain", "sha256": t.digest("plain"), "version": "2.0.0"});
    t.post("sys/plugins/catalog/auth/bare", body).await.ok();
    for (plugin, version) in [("secret/tp", "1.0.0"), ("auth/bare", "2.0.0")] {
        let path = format!("sys/plugins/pins/{plugin}");
        t.post(&path, json!({"version": version})).await.ok();
    }

    t.mount("m", "tp", json!({"description": "words-about-a-mount"}))
        .await
        .ok();
    t.store("m", "one", "secret-of-the-plugin").await;
    t.store("m", "two/three", "secret-of-the-plugin").await;
    t.post("m/config", json!({"value": "secret-of-the-plugin"}))
        .await
        .ok();
    t.mount("things", "kv", json!({})).await.ok();
    t.mount("here", "kv", json!({"local": true})).await.ok();
    for path in ["things/app", "things/deep/er/app", "here/app"] {
        t.post(path, json!({"a": "secret-of-kv"})).await.ok();
    }
    t.mount("codes", "totp", json!({})).await.ok();
    let key = json!({"key": "JBSWY3DPEHPK3PXP", "account_name": "secret-of-totp"});
    t.post("codes/keys/alice", key).await.ok();

    // Written, and gone again with its mount, its key or its version.
    t.mount("gone", "tp", json!({})).await.ok();
    t.store("gone", "one", "secret-of-the-plugin").await;
    t.delete("sys/mounts/gone").await.ok();
    t.post("things/gone", json!({"a": "secret-of-kv"}))
        .await
        .ok();
    t.delete("things/gone").await.ok();
    t.register("gone", "1.0.0", "plain", json!({})).await.ok();
    t.post("sys/plugins/pins/secret/gone", json!({"version": "1.0.0"}))
        .await
        .ok();
    t.delete("sys/plugins/pins/secret/gone").await.ok();
    t.delete("sys/plugins/catalog/secret/gone?version=1.0.0")
        .await
        .ok();
}

/// The uuid of every mount, by its path. What a dev server mounts by itself is expected to be empty.
async fn uuids(t: &Target) -> BTreeMap<String, String> {
    let mounts = t.get("sys/mounts").await.is(200).data();
    let uuid = |mount: &Value| mount["uuid"].as_str().unwrap().to_owned();
    let mounts = mounts.as_object().unwrap().iter();
    mounts
        .map(|(path, mount)| (path.clone(), uuid(mount)))
        .collect()
}

/// In the clear, and with `stored_shares`, without which Vault takes the storage for an ancient one (storage-format §2.3).
fn is_seal_config(value: &[u8]) {
    let config: Value = serde_json::from_slice(value).expect("the seal's configuration is JSON");
    for (member, expected) in [
        ("type", json!("shamir")),
        ("secret_shares", json!(1)),
        ("secret_threshold", json!(1)),
        ("stored_shares", json!(1)),
        ("pgp_keys", Value::Null),
    ] {
        assert_eq!(config[member], expected, "{member} of {config}");
    }
}

/// The root key under the unseal key: nonce, ciphertext and tag in field 1, and an empty field 5 (storage-format §2.4).
fn is_blob(value: &[u8]) {
    assert_eq!(value.len(), 80);
    assert_eq!(value[..2], [0x0a, 76]);
    assert_eq!(value[78..], [0x2a, 0]);
}
