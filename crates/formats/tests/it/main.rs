//! Records that OpenBao wrote: each decodes, and decode followed by encode keeps every key and every value.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees that only inside the test functions themselves"
)]

#[cfg(test)]
mod corpus;

use base64::{Engine, engine::general_purpose::STANDARD};
use linchpin_formats::{
    BlobInfo, ClusterInfo, Keyring, KeyringKey, MountEntry, MountTable, PluginRecord, Record,
    SealConfig, compression,
};
use linchpin_model::PluginType;
use serde_json::{Value, json};

/// One stored value and what it is.
struct Vector {
    key: String,
    record: String,
    plaintext: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let file: Value =
        serde_json::from_str(include_str!("../vectors/openbao-records.json")).unwrap();
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let records = file["records"].as_array().unwrap().iter();
    records
        .map(|record| Vector {
            key: text(record, "key"),
            record: text(record, "record"),
            plaintext: STANDARD.decode(text(record, "plaintext")).unwrap(),
        })
        .collect()
}

fn vector(key: &str) -> Vec<u8> {
    let found = vectors().into_iter().find(|vector| vector.key == key);
    found.unwrap().plaintext
}

fn rewrite(record: &str, plaintext: &[u8]) -> Vec<u8> {
    fn through<T: Record>(plaintext: &[u8]) -> Vec<u8> {
        T::decode(plaintext).unwrap().encode()
    }
    match record {
        "mount entry" => through::<MountEntry>(plaintext),
        "mount table" => through::<MountTable>(plaintext),
        "catalog entry" => through::<PluginRecord>(plaintext),
        "keyring" => through::<Keyring>(plaintext),
        "barrier key" => through::<KeyringKey>(plaintext),
        "cluster information" => through::<ClusterInfo>(plaintext),
        "seal configuration" => through::<SealConfig>(plaintext),
        other => unreachable!("no such record: {other}"),
    }
}

/// `null` and an empty map or list are the same (storage-format §0).
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) if fields.is_empty() => Value::Null,
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), normal(value)))
            .collect(),
        other => other.clone(),
    }
}

fn parsed(json: &[u8]) -> Value {
    normal(&serde_json::from_slice(&compression::open(json).unwrap()).unwrap())
}

#[test]
fn every_json_record_keeps_every_key_and_value() {
    let mut seen = 0;
    for vector in vectors() {
        if vector.record == "sealed blob" {
            continue;
        }
        let mut expected = parsed(&vector.plaintext);
        if vector.record == "seal configuration" {
            // OpenBao drops it; whatever is written here has it, or Vault could not unseal the storage.
            expected["stored_shares"] = json!(1);
        }
        let encoded = rewrite(&vector.record, &vector.plaintext);
        assert_eq!(parsed(&encoded), expected, "{}", vector.key);
        seen += 1;
    }
    assert_eq!(seen, 16);
}

#[test]
fn records_without_null_maps_are_written_byte_for_byte() {
    for key in [
        "core/keyring",
        "core/root-key",
        "core/cluster/local/info",
        "core/plugin-catalog/secret/myplug/v1.2.3",
        "core/plugin-catalog/auth/myauth",
        "core/mounts/5a2fdbb9-0548-8768-9270-8871f828db2e",
        "core/auth/0f4d18af-1deb-d73d-7d82-f06f26d80259",
        "core/audit",
    ] {
        let found = vectors().into_iter().find(|vector| vector.key == key);
        let vector = found.unwrap();
        let original = compression::open(&vector.plaintext).unwrap().into_owned();
        let encoded = rewrite(&vector.record, &vector.plaintext);
        assert_eq!(
            String::from_utf8(encoded).unwrap(),
            String::from_utf8(original).unwrap().trim_end(),
            "{key}"
        );
    }
}

/// Adds an unknown key to every object of a document, at every depth.
fn with_future_keys(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_future_keys);
            fields.insert("from_the_future".to_owned(), json!({"a": [1, "<&>"]}));
        }
        Value::Array(items) => items.iter_mut().for_each(with_future_keys),
        _ => {}
    }
}

#[test]
fn unknown_keys_survive_at_every_depth() {
    for vector in vectors() {
        if vector.record == "sealed blob" {
            continue;
        }
        let mut given: Value =
            serde_json::from_slice(&compression::open(&vector.plaintext).unwrap()).unwrap();
        // `options` is a map of texts whose keys belong to the engine: nothing in it is unknown.
        let options = |value: &mut Value| value.as_object_mut().map(|o| o.remove("options"));
        options(&mut given);
        if let Some(entries) = given.get_mut("entries").and_then(Value::as_array_mut) {
            entries.iter_mut().for_each(|entry| drop(options(entry)));
        }
        with_future_keys(&mut given);
        let count = |text: &[u8]| {
            let text = String::from_utf8(text.to_vec()).unwrap();
            text.matches("from_the_future").count()
        };
        let given = given.to_string().into_bytes();
        let encoded = rewrite(&vector.record, &given);
        assert!(count(&given) > 0);
        assert_eq!(count(&encoded), count(&given), "{}", vector.key);
    }
}

#[test]
fn blobs_are_written_byte_for_byte() {
    for (key, key_id) in [
        ("core/hsm/barrier-unseal-keys", ""),
        ("core/hsm/barrier-unseal-keys of a static seal", "key-2026"),
    ] {
        let blob = BlobInfo::decode(&vector(key)).unwrap();
        assert_eq!(blob.key_id().unwrap(), key_id);
        assert_eq!(blob.iv.is_empty(), key_id.is_empty());
        assert!(blob.sealed().len() > 12 + 16);
        assert_eq!(blob.encode(), vector(key));
    }
}

#[test]
fn a_compressed_table_is_rewritten_compressed_and_reads_the_same() {
    let table = MountTable::decode(&vector("core/mounts")).unwrap();
    assert_eq!(table.table, "mounts");
    let kv = table.entries.iter().find(|entry| entry.path == "kv1/");
    let kv = kv.unwrap();
    assert_eq!(kv.mount_type, "kv");
    assert_eq!(kv.config.default_lease_ttl.as_secs(), 87_600 * 3_600);
    let again = MountTable::decode(&table.encode_compressed()).unwrap();
    assert_eq!(again, table);
}

#[test]
fn a_catalog_entry_becomes_what_the_server_uses() {
    let record = PluginRecord::decode(&vector("core/plugin-catalog/secret/myplug/v1.2.3")).unwrap();
    let entry = record.to_entry().unwrap();
    assert_eq!(entry.plugin_type, PluginType::Secret);
    assert_eq!(entry.version_text(), "v1.2.3");
    assert_eq!(entry.args, ["--a"]);
    assert_eq!(PluginRecord::from_entry(&entry), record);
}
