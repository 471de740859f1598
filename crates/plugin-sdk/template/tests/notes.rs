//! The plugin in memory: no server, no process.

use linchpin_plugin_sdk::testing::Harness;
use serde_json::{Value, json};

async fn mount() -> Harness {
    Harness::new(|setup| async move { my_plugin::create(&setup) })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_note_is_kept_over_a_reload() {
    let mut mount = mount().await;
    let note = json!({"text": "rain", "tags": "weather,today"});
    mount.write("notes/monday", &note).await.unwrap();
    mount.reload().await.unwrap();
    let note: Value = mount.read_as("notes/monday").await.unwrap().unwrap();
    assert_eq!(note, json!({"text": "rain", "tags": ["weather", "today"]}));
    assert_eq!(mount.list("notes").await.unwrap(), ["monday"]);
    mount.delete("notes/monday").await.unwrap();
    assert!(mount.read("notes/monday").await.unwrap().is_none());
}

#[tokio::test]
async fn a_note_without_a_text_is_refused() {
    let mount = mount().await;
    let error = mount.write("notes/empty", &json!({})).await.unwrap_err();
    assert!(
        error.to_string().contains("missing field `text`"),
        "{error}"
    );
}
