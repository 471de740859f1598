use super::audit::{Audit, Device, Record};
use super::decide::Decision;
use crate::instance::tests::instance;
use crate::mount::Mount;
use crate::node::Node;
use crate::{ClientRequest, Error, Settings};
use arc_swap::ArcSwap;
use linchpin_engine::{BoxFuture, Context};
use linchpin_formats::MountEntry;
use parking_lot::Mutex;
use std::sync::Arc;
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

async fn ask(token: &str, path: &str) -> (Result<bool, String>, Vec<&'static str>) {
    let recorder = Arc::new(Recorder::default());
    let record = MountEntry {
        path: "m/".into(),
        ..MountEntry::default()
    };
    let (core, _) = crate::start::tests::core(Audit::with(vec![recorder.clone()])).await;
    let facts = Arc::new(ArcSwap::new(core.facts_of(&record)));
    let leaving = CancellationToken::new();
    let limits = Settings::default().gate;
    let mount = Mount::new(record, facts, instance(1), None, limits, leaving);
    core.node.store(Arc::new(Node::new([mount])));
    let request = ClientRequest {
        path: path.to_owned(),
        token: Some(token.to_owned()),
        ..ClientRequest::default()
    };
    let ctx = Context::internal(CancellationToken::new());
    let outcome = core.handle(ctx, request).await;
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
