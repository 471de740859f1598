use super::audit::{Audit, Device, Record};
use super::decide::Decision;
use crate::instance::Instance;
use crate::instance::tests::instance;
use crate::mount::Mount;
use crate::node::Node;
use crate::{ClientRequest, Core, Error, Settings};
use arc_swap::ArcSwap;
use linchpin_engine::{Backend, BoxFuture, Context, Error as EngineError, Running, SpecialPaths};
use linchpin_formats::MountEntry;
use linchpin_model::{PluginType, Request, Response};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Recorder(Mutex<Vec<&'static str>>);

impl Device for Recorder {
    fn record<'a>(
        &'a self,
        _: &'a Context,
        record: Record<'a>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.0.lock().push(match record {
            Record::Request(Decision::Allowed(_)) => "request allowed",
            Record::Request(Decision::Denied(_)) => "request denied",
            Record::Response(Ok(_)) => "response",
            Record::Response(Err(_)) => "response error",
        });
        Box::pin(async { Ok(()) })
    }
}

/// A node whose audit stage tells the recorder, with `instance` mounted at `m/`.
async fn node(recorder: &Arc<Recorder>, instance: Arc<Instance>) -> Arc<Core> {
    let record = MountEntry {
        path: "m/".into(),
        ..MountEntry::default()
    };
    let (core, _) = crate::start::tests::core(Audit::with(vec![recorder.clone()])).await;
    let facts = Arc::new(ArcSwap::new(core.facts_of(&record)));
    let leaving = CancellationToken::new();
    let limits = Settings::default().gate;
    let mount = Mount::new(record, facts, instance, None, limits, leaving);
    core.node.store(Arc::new(Node::new([mount])));
    core
}

fn request(token: &str, path: &str) -> ClientRequest {
    ClientRequest {
        path: path.to_owned(),
        token: Some(token.to_owned()),
        ..ClientRequest::default()
    }
}

async fn ask(token: &str, path: &str) -> (Result<bool, String>, Vec<&'static str>) {
    let recorder = Arc::new(Recorder::default());
    let core = node(&recorder, instance(1)).await;
    let ctx = Context::internal(CancellationToken::new());
    let outcome = core.handle(ctx, request(token, path)).await;
    let seen = recorder.0.lock().clone();
    (
        outcome.map(|r| r.is_some()).map_err(|e| e.to_string()),
        seen,
    )
}

#[tokio::test]
async fn denied_request_passes_the_audit_stage() {
    let (outcome, seen) = ask("wrong", "m/x").await;
    assert_eq!(outcome, Err("permission denied".to_owned()));
    assert_eq!(seen, ["request denied", "response error"]);
}

#[tokio::test]
async fn an_allowed_request_is_recorded_twice_and_served() {
    assert_eq!(
        ask("root", "m/x").await,
        (Ok(false), vec!["request allowed", "response"])
    );
}

#[tokio::test]
async fn an_unknown_path_is_told_only_to_an_accepted_token() {
    assert_eq!(
        ask("", "nope/x").await.0,
        Err("permission denied".to_owned())
    );
    let text = "no handler for route \"nope/x\". route entry not found.";
    assert_eq!(ask("root", "nope/x").await.0, Err(text.to_owned()));
}

/// An engine that answers when its request has been given up, and after that only when it is let go.
struct Slow {
    entered: Notify,
    cancelled: Notify,
    go: Notify,
}

impl Backend for Slow {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::default()
    }
    fn initialize<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }
    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        _: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, EngineError>> {
        Box::pin(async move {
            self.entered.notify_one();
            ctx.cancel.cancelled().await;
            self.cancelled.notify_one();
            self.go.notified().await;
            Ok(Some(Response::default()))
        })
    }
    fn exists<'a>(
        &'a self,
        _: &'a Context,
        _: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, EngineError>> {
        Box::pin(async { Ok(None) })
    }
    fn invalidate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn the_response_is_recorded_also_when_the_client_is_gone() {
    let recorder = Arc::new(Recorder::default());
    let slow = Arc::new(Slow {
        entered: Notify::new(),
        cancelled: Notify::new(),
        go: Notify::new(),
    });
    let instance = Instance::new(slow.clone(), Running::default(), None);
    let core = node(&recorder, instance).await;
    let ctx = Context::internal(CancellationToken::new());
    tokio::select! {
        _ = core.handle(ctx, request("root", "m/x")) => panic!("it was answered"),
        () = slow.entered.notified() => {}
    }
    // The client has hung up: the engine is told, and is waited for.
    slow.cancelled.notified().await;
    assert_eq!(*recorder.0.lock(), ["request allowed"]);
    assert!(
        core.node
            .load()
            .mounts()
            .iter()
            .any(|m| m.gate().still_running().is_some())
    );
    slow.go.notify_one();
    core.tasks.close();
    core.tasks.wait().await;
    assert_eq!(*recorder.0.lock(), ["request allowed", "response"]);
    assert!(
        core.node
            .load()
            .mounts()
            .iter()
            .all(|m| m.gate().still_running().is_none())
    );
}
