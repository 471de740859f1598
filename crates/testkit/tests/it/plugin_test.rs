//! `linchpin plugin test FILE`: what an author is told about a good plugin, and about each kind of bad one.

use std::path::Path;
use std::process::Command;

use linchpin_testkit::{binary, switch};
use serde_json::Value;

/// Runs the command with `-json`; the exit status and the document.
fn examine(file: &Path, env: &[&str]) -> (i32, Value) {
    let mut command = Command::new(binary("linchpin"));
    command.args(["plugin", "test", "-json"]);
    command.args(env.iter().map(|entry| format!("-env={entry}")));
    let output = command.arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let document = serde_json::from_str(&text);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(document.is_ok(), "{document:?}: {text}{errors}");
    let document = document.unwrap();
    (output.status.code().unwrap(), document)
}

/// The outcome of a check; `None` when it was not made.
fn outcome<'d>(document: &'d Value, id: &str) -> Option<&'d str> {
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id)?;
    check["outcome"].as_str()
}

#[test]
fn a_good_plugin_holds_every_check() {
    let (status, document) = examine(&binary("fault-v1"), &[]);
    assert_eq!(status, 0, "{document:#}");
    let checks = document["checks"].as_array().unwrap();
    assert!(
        checks.len() >= 14 && checks.iter().all(|check| check["outcome"] == "ok"),
        "{document:#}"
    );
    assert_eq!(document["type"], "secret");
    assert_eq!(document["version"], "v1.0.0");
    assert_eq!(document["multiplexing"], true);
    assert_eq!(document["overlap"], true);
    assert_eq!(document["protocol"], 5);
    assert!(document["memory_bytes"].as_u64().unwrap() > 0);
    assert!(document["handshake_ms"].is_number());
    assert_eq!(
        document["sha256"],
        linchpin_testkit::sha256(&binary("fault-v1"))
    );
}

#[test]
fn what_fails_is_named_with_a_way_to_mend_it() {
    for (env, id) in [
        (switch::EXITS_AT_START, "start"),
        (switch::INITIALIZE_FAILS, "initialize"),
    ] {
        let (status, document) = examine(&binary("fault-v1"), &[env]);
        assert_eq!(status, 2, "{document:#}");
        assert_eq!(outcome(&document, id), Some("failed"), "{document:#}");
        let checks = document["checks"].as_array().unwrap();
        let failed = checks.iter().find(|check| check["id"] == id).unwrap();
        assert!(
            !failed["mend"].as_str().unwrap().is_empty()
                && !failed["seen"].as_str().unwrap().is_empty()
        );
    }
    let (_, document) = examine(&binary("fault-v1"), &[switch::EXITS_AT_START]);
    assert!(
        document["log"]
            .to_string()
            .contains("exiting at start as told"),
        "{document:#}"
    );
}

#[test]
fn a_plugin_that_cannot_run_beside_itself_is_told_of_overlap() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (status, document) = examine(&binary("fault-v1"), &[&format!("FAULT_PORT={port}")]);
    // One mount works, a second one cannot: each holds the port for itself.
    assert_eq!(status, 2, "{document:#}");
    assert_eq!(document["overlap"], false);
    assert_eq!(outcome(&document, "overlap"), Some("warning"));
    assert_eq!(outcome(&document, "second-mount"), Some("failed"));
}

#[test]
fn what_is_no_plugin_is_said_to_be_none() {
    let (status, document) = examine(&binary("linchpin"), &[]);
    assert_eq!(status, 2, "{document:#}");
    assert_eq!(outcome(&document, "start"), Some("failed"), "{document:#}");
    assert!(document.get("type").is_none());
}
