use super::*;
use crate::memory::{Memory, System, ask, mount_info, request, shown};
use linchpin_engine::Backend;
use tokio_util::sync::CancellationToken;

fn backend() -> (Arc<dyn Backend>, Memory) {
    let memory = Memory::default();
    let made = crate::make(
        "kv",
        &mount_info("kv", &[]),
        Arc::new(memory.clone()),
        Arc::new(System),
    );
    (made.unwrap().unwrap(), memory)
}

#[test]
fn the_table_is_well_formed() {
    assert_eq!(table().first_error(), None);
}

#[tokio::test]
async fn a_secret_is_stored_as_its_json_and_read_back() {
    let (kv, memory) = backend();
    let secret =
        r#"{"b":1.10,"a":{"z":1e3},"after":{"limit":[]},"path":"p","b":12345678901234567890123}"#;
    assert_eq!(shown(ask(&*kv, Operation::Update, "d/e", secret).await), "");
    let stored = r#"{"a":{"z":1e3},"after":{"limit":[]},"b":12345678901234567890123,"path":"p"}"#;
    assert_eq!(memory.text("d/e").as_deref(), Some(stored));
    let response = ask(&*kv, Operation::Read, "d/e", "")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(response.data.unwrap().as_str(), stored);
    let lease = response.secret.unwrap().lease;
    assert_eq!((lease.ttl.as_secs(), lease.renewable), (2_764_800, false));
    assert!(response.warnings.is_empty());
}

#[tokio::test]
async fn writes_without_data_or_path_are_refused() {
    let (kv, _) = backend();
    for data in ["", "{}"] {
        let outcome = ask(&*kv, Operation::Update, "a", data).await;
        assert_eq!(shown(outcome), "InvalidRequest: missing data fields");
    }
    let outcome = ask(&*kv, Operation::Create, "", r#"{"a":1}"#).await;
    assert_eq!(shown(outcome), "InvalidRequest: missing path");
}

#[tokio::test]
async fn deleting_is_idempotent_and_folders_are_no_secrets() {
    let (kv, memory) = backend();
    ask(&*kv, Operation::Update, "d/e", r#"{"a":1}"#)
        .await
        .unwrap();
    for path in ["d/", "d", "", "none"] {
        assert_eq!(shown(ask(&*kv, Operation::Delete, path, "").await), "");
        assert_eq!(shown(ask(&*kv, Operation::Read, path, "").await), "");
    }
    assert!(memory.text("d/e").is_some());
    ask(&*kv, Operation::Delete, "d/e", "").await.unwrap();
    assert!(memory.0.lock().is_empty());
}

#[tokio::test]
async fn lists_show_children_and_take_pages() {
    let (kv, _) = backend();
    for path in ["a", "b", "d", "d/e", "d/f/g"] {
        ask(&*kv, Operation::Update, path, r#"{"a":1}"#)
            .await
            .unwrap();
    }
    for (path, query, expected) in [
        ("", "", r#"{"keys":["a","b","d","d/"]}"#),
        ("d/", "", r#"{"keys":["e","f/"]}"#),
        ("none/", "", r#"{"keys":[]}"#),
        ("", r#"{"after":"a","limit":"1"}"#, r#"{"keys":["b"]}"#),
        ("", r#"{"limit":"-1"}"#, r#"{"keys":["a","b","d","d/"]}"#),
    ] {
        let outcome = ask(&*kv, Operation::List, path, query).await;
        assert_eq!(shown(outcome), expected, "{path} {query}");
    }
    let outcome = ask(&*kv, Operation::List, "", r#"{"limit":"x"}"#).await;
    assert!(shown(outcome).starts_with("InvalidRequest: Field validation failed: "));
}

#[tokio::test]
async fn unknown_parameters_of_a_read_are_named() {
    let (kv, _) = backend();
    ask(&*kv, Operation::Update, "a", r#"{"a":1}"#)
        .await
        .unwrap();
    let warnings = |query: &'static str| {
        let kv = Arc::clone(&kv);
        async move {
            ask(&*kv, Operation::Read, "a", query)
                .await
                .unwrap()
                .unwrap()
                .warnings
        }
    };
    assert_eq!(
        warnings(r#"{"version":"1","b":"2"}"#).await,
        ["Endpoint ignored these unrecognized parameters: [b version]"]
    );
    assert_eq!(warnings(r#"{"path":"z","foo":"1"}"#).await.len(), 2);
}

#[tokio::test]
async fn create_and_update_are_told_apart() {
    let (kv, _) = backend();
    ask(&*kv, Operation::Update, "a", r#"{"a":1}"#)
        .await
        .unwrap();
    let ctx = Context::internal(CancellationToken::new());
    for (path, there) in [("a", true), ("b", false)] {
        let request = request(Operation::Update, path, r#"{"limit":{}}"#);
        assert_eq!(kv.exists(&ctx, &request).await.unwrap(), Some(there));
    }
}

#[tokio::test]
async fn other_operations_are_unsupported() {
    let (kv, _) = backend();
    for operation in [Operation::Patch, Operation::Header] {
        let outcome = ask(&*kv, operation, "a", "").await;
        assert_eq!(
            shown(outcome),
            "UnsupportedOperation: unsupported operation"
        );
    }
    let help = shown(ask(&*kv, Operation::Help, "", "").await);
    assert!(help.contains("Keeps secrets"), "{help}");
}

#[test]
fn only_version_one_is_here() {
    let check = |version: &str| {
        check_options(&BTreeMap::from([(
            "version".to_owned(),
            version.to_owned(),
        )]))
        .map_err(|error| error.to_string())
    };
    assert!(check_options(&BTreeMap::new()).is_ok());
    assert!(check("1").is_ok());
    assert!(
        check("2")
            .unwrap_err()
            .starts_with("kv version 2 is not in this release")
    );
    assert!(
        check("x")
            .unwrap_err()
            .starts_with("kv has no version \"x\"")
    );
}
