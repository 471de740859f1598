//! After the handshake: probe, metadata mode, panics, logs, operations that it does not know, and the end.

use std::time::Duration;

use linchpin_goplugin::convert::ErrorClass;
use linchpin_goplugin::host::{Error, Instance};
use linchpin_plugin_sdk::model::{Operation, PluginType, Request};
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use crate::child::Plugin;
use crate::views::probe;

fn request(operation: Operation, path: &str) -> Request {
    Request {
        operation: Some(operation),
        path: path.to_owned(),
        ..Request::default()
    }
}

async fn info(instance: &Instance) -> String {
    let asked = request(Operation::Read, "info");
    let answer = instance.handle_request(None, &asked).await.unwrap();
    let data = answer.unwrap().data.unwrap();
    data.as_str().to_owned()
}

#[tokio::test]
async fn p05_a_probe_succeeds_and_finds_type_and_version() {
    let plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    assert!(host.multiplexing_supported().await.unwrap());
    let instance = host.setup(probe()).await.unwrap();
    assert_eq!(
        instance.plugin_type().await.unwrap(),
        Some(PluginType::Secret)
    );
    assert_eq!(instance.version().await.unwrap(), "v1.0.0");
}

#[tokio::test]
async fn p05_the_example_plugin_is_set_up_without_configuration_and_storage() {
    let plugin = Plugin::start_example("greeter", &[]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    assert_eq!(
        instance.plugin_type().await.unwrap(),
        Some(PluginType::Secret)
    );
    assert_eq!(instance.special_paths().await.unwrap().root, ["config"]);
    assert_eq!(
        instance.version().await.unwrap(),
        linchpin_plugin_sdk::version!()
    );
}

#[tokio::test]
async fn p06_one_that_is_not_multiplexed_works_with_an_id_as_well() {
    let plugin = Plugin::start(&[("FAULT_MULTIPLEX", "off")]).await;
    let host = plugin.connect().await;
    assert!(!host.multiplexing_supported().await.unwrap());
    let instance = host.setup(probe()).await.unwrap();
    instance.initialize(None).await.unwrap();
    assert!(info(&instance).await.contains("v1.0.0"));
    instance.cleanup().await.unwrap();
    instance.cleanup().await.unwrap();
}

#[tokio::test]
async fn p13_metadata_mode_answers_what_it_is_and_does_no_work() {
    let plugin = Plugin::start(&[("VAULT_PLUGIN_METADATA_MODE", "true")]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    instance.special_paths().await.unwrap();
    assert_eq!(instance.version().await.unwrap(), "v1.0.0");
    let asked = request(Operation::Read, "info");
    for refused in [
        instance.initialize(None).await.unwrap_err(),
        instance.handle_request(None, &asked).await.unwrap_err(),
        instance.existence_check(None, &asked).await.unwrap_err(),
        instance.invalidate_key(None, "x").await.unwrap_err(),
    ] {
        assert!(refused.to_string().contains("metadata mode"), "{refused}");
    }
    instance.cleanup().await.unwrap();
}

#[tokio::test]
async fn p16_unknown_paths_and_operations_are_said_to_be_unsupported() {
    let plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    for (operation, path) in [
        (Operation::ResolvePath, ""),
        (Operation::Read, "nothing"),
        (Operation::Delete, "info"),
    ] {
        let outcome = instance
            .handle_request(None, &request(operation, path))
            .await;
        let Err(Error::Plugin(error)) = outcome else {
            panic!("{operation:?} {path}: {outcome:?}");
        };
        assert!(error.is_unsupported(), "{operation:?} {path}: {error:?}");
    }
}

#[tokio::test]
async fn p10_a_panic_is_an_error_with_a_text_and_the_process_goes_on() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    let asked = request(Operation::Read, "panic");
    for _ in 0..3 {
        let outcome = instance.handle_request(None, &asked).await;
        let Err(Error::Plugin(error)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(error.message.contains("panicked"), "{error}");
        assert_eq!(error.class, ErrorClass::Internal);
        assert!(info(&instance).await.contains("v1.0.0"));
    }
    assert!(plugin.child.try_wait().unwrap().is_none());
}

#[tokio::test]
async fn p14_logs_are_json_lines_on_stderr_and_nothing_is_on_stdout() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    // The panic's record, and the one about the request that it ended.
    let asked = request(Operation::Read, "panic");
    instance.handle_request(None, &asked).await.unwrap_err();
    host.shutdown(Duration::from_secs(2)).await;
    let mut printed = Vec::new();
    plugin.stdout.read_to_end(&mut printed).await.unwrap();
    assert!(printed.is_empty(), "{printed:?}");
    plugin.child.wait().await.unwrap();
    let text = std::fs::read_to_string(&plugin.log).unwrap();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(records.len() >= 2, "{text}");
    for record in &records {
        for key in ["@level", "@message", "@module", "@timestamp"] {
            assert!(record[key].is_string(), "{record}");
        }
    }
    let panicked = records
        .iter()
        .find(|record| record["@module"] == "panic")
        .unwrap();
    assert_eq!(panicked["@level"], "error");
    assert_eq!(panicked["@message"], "panicked: fault: panicking as told");
    assert!(panicked["place"].as_str().unwrap().contains("paths.rs"));
}

#[tokio::test]
async fn p08_shutdown_ends_it_with_status_zero_and_its_socket_goes() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let _instance = host.setup(probe()).await.unwrap();
    host.shutdown(Duration::from_secs(2)).await;
    let ended = tokio::time::timeout(Duration::from_secs(2), plugin.child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    assert!(plugin.left().is_empty(), "{:?}", plugin.left());
}

#[tokio::test]
async fn p09_sigint_is_ignored_and_sigterm_ends_it() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    plugin.signal(Signal::INT);
    // A round trip after the signal: it would be dead by now.
    host.health().await.unwrap();
    assert!(plugin.child.try_wait().unwrap().is_none());
    plugin.signal(Signal::TERM);
    plugin.child.wait().await.unwrap();
    assert!(plugin.left().is_empty(), "{:?}", plugin.left());
}

#[tokio::test]
async fn an_exit_inside_a_request_is_a_loss_that_may_have_been_delivered() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    let exited = instance
        .handle_request(None, &request(Operation::Read, "exit"))
        .await;
    let error = exited.unwrap_err();
    assert!(
        error.is_connection_loss() && !error.is_not_delivered(),
        "{error:?}"
    );
    assert_eq!(plugin.child.wait().await.unwrap().code(), Some(7));
}
