//! After the handshake: probe, metadata mode, operations that it does not know, and the end.

use std::time::Duration;

use linchpin_goplugin::host::{Error, Instance};
use linchpin_plugin_sdk::model::{Operation, PluginType, Request};
use rustix::process::Signal;

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
    let answer = instance.handle_request(&asked).await.unwrap();
    let data = answer.unwrap().data.unwrap();
    data.as_str().to_owned()
}

#[tokio::test]
async fn p5_a_probe_succeeds_and_finds_type_and_version() {
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
async fn p6_one_that_is_not_multiplexed_works_with_an_id_as_well() {
    let plugin = Plugin::start(&[("FAULT_MULTIPLEX", "off")]).await;
    let host = plugin.connect().await;
    assert!(!host.multiplexing_supported().await.unwrap());
    let instance = host.setup(probe()).await.unwrap();
    instance.initialize().await.unwrap();
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
    let refused = instance.initialize().await.unwrap_err();
    assert!(refused.to_string().contains("metadata mode"), "{refused}");
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
        let outcome = instance.handle_request(&request(operation, path)).await;
        let Err(Error::Plugin(error)) = outcome else {
            panic!("{operation:?} {path}: {outcome:?}");
        };
        assert!(error.is_unsupported(), "{operation:?} {path}: {error:?}");
    }
}

#[tokio::test]
async fn p8_shutdown_ends_it_with_status_zero_and_its_socket_goes() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let _instance = host.setup(probe()).await.unwrap();
    host.shutdown(Duration::from_secs(2)).await;
    let ended = tokio::time::timeout(Duration::from_secs(2), plugin.child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    assert!(plugin.left().is_empty(), "{:?}", plugin.left());
}

#[tokio::test]
async fn p9_sigint_is_ignored_and_sigterm_ends_it() {
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
async fn a_panic_and_an_exit_inside_a_request_are_told_apart() {
    let mut plugin = Plugin::start(&[]).await;
    let host = plugin.connect().await;
    let instance = host.setup(probe()).await.unwrap();
    let panicked = instance
        .handle_request(&request(Operation::Read, "panic"))
        .await;
    assert!(matches!(panicked, Err(Error::Plugin(_))), "{panicked:?}");
    let exited = instance
        .handle_request(&request(Operation::Read, "exit"))
        .await;
    let error = exited.unwrap_err();
    assert!(
        error.is_connection_loss() && !error.is_not_delivered(),
        "{error:?}"
    );
    assert_eq!(plugin.child.wait().await.unwrap().code(), Some(7));
}
