//! Reloads of scripted engines: what stays as it was, whatever fails.

use super::*;
use crate::pipeline::audit::Audit;
use crate::start::tests::{Engines, core};
use crate::{ClientRequest, NewMount};
use linchpin_engine::{
    Backend, BoxFuture, Error, Prepare, Prepared, Running, SpecialPaths, StorageEntry, StorageView,
};
use linchpin_model::{JsonObject, Operation, Request, Response};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What Initialize does.
#[derive(Clone, Copy)]
enum Initialise {
    Writes,
    WritesAndFails,
    Hangs,
}

/// An engine of a few paths: `who` says its number, `put` writes it, `hold` waits to be released.
struct Scripted {
    number: usize,
    initialise: Initialise,
    storage: Arc<dyn StorageView>,
    release: Arc<Notify>,
    cleaned: Arc<AtomicUsize>,
}

fn entry(key: &str, number: usize) -> StorageEntry {
    StorageEntry {
        key: key.to_owned(),
        value: number.to_string().into(),
        seal_wrap: false,
    }
}

impl Backend for Scripted {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::default()
    }
    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.storage.put(ctx, entry("started", self.number)).await?;
            match self.initialise {
                Initialise::Writes => Ok(()),
                Initialise::WritesAndFails => Err(Error::refused("it does not like this")),
                Initialise::Hangs => std::future::pending().await,
            }
        })
    }
    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        Box::pin(async move {
            match request.path.as_str() {
                "hold" => ctx.race(self.release.notified()).await?,
                "put" => self.storage.put(ctx, entry("config", self.number)).await?,
                _ => {}
            }
            let started = self.storage.get(ctx, "started").await?;
            let started = started.map(|e| String::from_utf8_lossy(&e.value).into_owned());
            let data = serde_json::json!({"who": self.number, "started": started});
            Ok(Some(Response::data(
                JsonObject::from_serialize(&data).unwrap(),
            )))
        })
    }
    fn exists<'a>(
        &'a self,
        _: &'a Context,
        _: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(async { Ok(None) })
    }
    fn invalidate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        self.cleaned.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    }
}

/// A node with a mount `m/` of the scripted engine.
struct Bench {
    core: Arc<Core>,
    engines: Arc<Engines>,
    made: Arc<AtomicUsize>,
    cleaned: Arc<AtomicUsize>,
    release: Arc<Notify>,
}

impl Bench {
    async fn new() -> Self {
        let (core, engines) = core(Audit::default()).await;
        let bench = Self {
            core,
            engines,
            made: Arc::default(),
            cleaned: Arc::default(),
            release: Arc::default(),
        };
        bench.next(Initialise::Writes, |_| Box::pin(async {}));
        let mount = NewMount {
            path: "m".into(),
            mount_type: "scripted".into(),
            ..NewMount::default()
        };
        bench.core.enable(&ctx(), mount).await.unwrap();
        bench
    }

    /// The engines that are made from now on; `during` runs in every Setup.
    fn next(
        &self,
        initialise: Initialise,
        during: impl Fn(usize) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        let (made, cleaned) = (Arc::clone(&self.made), Arc::clone(&self.cleaned));
        let release = Arc::clone(&self.release);
        let during = Arc::new(during);
        self.engines.script(move |prepare: Prepare| {
            let number = made.fetch_add(1, Ordering::SeqCst) + 1;
            let backend = Arc::new(Scripted {
                number,
                initialise,
                storage: prepare.storage,
                release: Arc::clone(&release),
                cleaned: Arc::clone(&cleaned),
            });
            let during = Arc::clone(&during);
            Box::pin(async move {
                during(number).await;
                let running = Running {
                    version: format!("v{number}"),
                    ..Running::default()
                };
                Ok(Prepared {
                    backend,
                    running,
                    captured: None,
                })
            })
        });
    }

    async fn reload(&self, force: bool) -> MountResult {
        let call = Reload {
            selector: Selector::Mounts(vec!["m".to_owned()]),
            force,
            global: false,
        };
        let mut report = self.core.reload(&ctx(), call).await;
        assert_eq!(report.results.len(), 1);
        report.results.remove(0)
    }

    async fn ask(&self, path: &str) -> Result<serde_json::Value, String> {
        ask(Arc::clone(&self.core), path.to_owned()).await
    }
}

async fn ask(core: Arc<Core>, path: String) -> Result<serde_json::Value, String> {
    let request = ClientRequest {
        operation: Some(Operation::Read),
        path: format!("m/{path}"),
        token: Some("root".to_owned()),
        ..ClientRequest::default()
    };
    let answer = core
        .handle(ctx(), request)
        .await
        .map_err(|e| e.to_string())?;
    Ok(answer.unwrap().data.unwrap().decode().unwrap())
}

fn ctx() -> Context {
    Context::internal(CancellationToken::new())
}

#[tokio::test(start_paused = true)]
async fn a_reload_switches_and_retires() {
    let bench = Bench::new().await;
    assert_eq!(bench.ask("who").await.unwrap()["who"], 1);
    let result = bench.reload(false).await;
    assert_eq!(result.outcome, Outcome::Reloaded, "{result:?}");
    assert_eq!(
        (result.from_version.as_str(), result.to_version.as_str()),
        ("v1", "v2")
    );
    let answer = bench.ask("who").await.unwrap();
    assert_eq!(
        (&answer["who"], &answer["started"]),
        (&2.into(), &"2".into())
    );
    assert_eq!(bench.cleaned.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_initialize_changes_nothing() {
    for (initialise, reason) in [
        (Initialise::WritesAndFails, "it does not like this"),
        (Initialise::Hangs, "Initialize did not end within 30 s"),
    ] {
        let bench = Bench::new().await;
        bench.next(initialise, |_| Box::pin(async {}));
        let result = bench.reload(false).await;
        assert_eq!(result.outcome, Outcome::Failed);
        assert_eq!(result.error.as_deref(), Some(reason));
        assert_eq!(result.to_version, "v1");
        let answer = bench.ask("who").await.unwrap();
        assert_eq!(
            (&answer["who"], &answer["started"]),
            (&1.into(), &"1".into())
        );
        // It writes again: the fence was lifted.
        bench.ask("put").await.unwrap();
        assert_eq!(
            bench.cleaned.load(Ordering::SeqCst),
            1,
            "the new one is cleaned up"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn h60_an_entry_whose_runtime_is_unknown_starts_no_generation() {
    let bench = Bench::new().await;
    let runtime = linchpin_catalog::Runtime {
        name: "sandbox".into(),
        ..Default::default()
    };
    let registered = bench.core.register_runtime(&ctx(), runtime).await;
    registered.unwrap();
    let registration = linchpin_catalog::Registration {
        plugin_type: Some(PluginType::Secret),
        name: "tp".into(),
        sha256: "11".repeat(32),
        command: "tp".into(),
        runtime: "sandbox".into(),
        ..Default::default()
    };
    bench.core.register(&ctx(), registration).await.unwrap();
    let mount = |path: &str| NewMount {
        path: path.into(),
        mount_type: "tp".into(),
        ..NewMount::default()
    };
    bench.core.enable(&ctx(), mount("tp")).await.unwrap();
    let made = bench.made.load(Ordering::SeqCst);

    // As a storage that was edited would be read.
    let catalog = bench.core.plugins.catalog().without_runtime("sandbox");
    bench.core.plugins.publish(catalog);
    let text = "specified plugin runtime \"sandbox\", but failed to retrieve config: plugin runtime \
                not found";
    let call = Reload {
        selector: Selector::Plugin {
            plugin_type: Some(PluginType::Secret),
            name: "tp".into(),
        },
        force: false,
        global: false,
    };
    let report = bench.core.reload(&ctx(), call).await;
    let [result] = report.results.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(result.outcome, Outcome::Failed);
    assert!(
        result.error.as_deref().unwrap().contains(text),
        "{result:?}"
    );
    let refused = bench.core.enable(&ctx(), mount("other")).await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains(text), "{refused}");
    assert_eq!(
        bench.made.load(Ordering::SeqCst),
        made,
        "nothing was started"
    );
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_became_stale_is_repeated_behind_the_closed_gate() {
    let bench = Bench::new().await;
    let core = Arc::clone(&bench.core);
    bench.next(Initialise::Writes, move |number| {
        let core = Arc::clone(&core);
        Box::pin(async move {
            if number == 2 {
                ask(core, "put".to_owned()).await.unwrap();
            }
        })
    });
    let result = bench.reload(false).await;
    assert_eq!(result.outcome, Outcome::Reloaded);
    assert_eq!(
        bench.ask("who").await.unwrap()["who"],
        3,
        "the second was thrown away"
    );
    assert_eq!(bench.made.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_does_not_drain_keeps_its_instance() {
    let bench = Bench::new().await;
    let core = Arc::clone(&bench.core);
    let mut held = tokio::task::JoinSet::new();
    held.spawn(ask(core, "hold".to_owned()));
    tokio::task::yield_now().await;
    let result = bench.reload(false).await;
    assert_eq!(
        result.error.as_deref(),
        Some("1 request still running, the oldest for 20 s")
    );
    assert_eq!(bench.ask("who").await.unwrap()["who"], 1);
    bench.release.notify_waiters();
    assert_eq!(held.join_next().await.unwrap().unwrap().unwrap()["who"], 1);
}

#[tokio::test(start_paused = true)]
async fn force_cancels_those_inside_and_counts_them() {
    let bench = Bench::new().await;
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..2 {
        held.spawn(ask(Arc::clone(&bench.core), "hold".to_owned()));
    }
    tokio::task::yield_now().await;
    let result = bench.reload(true).await;
    assert_eq!((result.outcome, result.cancelled), (Outcome::Reloaded, 2));
    while let Some(ended) = held.join_next().await {
        assert_eq!(ended.unwrap(), Err("context canceled".to_owned()));
    }
    assert_eq!(bench.ask("who").await.unwrap()["who"], 2);
}

#[tokio::test(start_paused = true)]
async fn the_same_reload_asked_again_while_one_waits_is_done_once() {
    let bench = Arc::new(Bench::new().await);
    bench.next(Initialise::Writes, |_| {
        Box::pin(tokio::time::sleep(Duration::from_secs(3)))
    });
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let bench = Arc::clone(&bench);
        calls.spawn(async move { bench.reload(false).await });
    }
    while let Some(result) = calls.join_next().await {
        assert_eq!(result.unwrap().outcome, Outcome::Reloaded);
    }
    // All were asked before any began: the first does it for all.
    assert_eq!(bench.made.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn removing_a_mount_stops_its_reload_at_the_next_step() {
    let bench = Arc::new(Bench::new().await);
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    bench.next(Initialise::Writes, move |_| {
        begins.notify_one();
        Box::pin(tokio::time::sleep(Duration::from_secs(3)))
    });
    let reload = {
        let bench = Arc::clone(&bench);
        async move { bench.reload(false).await }
    };
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(reload);
    begun.notified().await;
    bench.core.disable(&ctx(), "m").await.unwrap();
    let result = calls.join_next().await.unwrap().unwrap();
    assert_eq!((result.outcome, result.error), (Outcome::Unmounted, None));
    assert!(bench.core.mount_at("m").is_none());
    assert!(
        bench
            .core
            .store
            .keys_below("logical/")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        bench.cleaned.load(Ordering::SeqCst),
        2,
        "both instances are cleaned up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_mount_whose_initialize_fails_leaves_nothing() {
    let bench = Bench::new().await;
    bench.next(Initialise::WritesAndFails, |_| Box::pin(async {}));
    let before = bench.core.store.keys_below("logical/").await.unwrap();
    let mount = NewMount {
        path: "other".into(),
        mount_type: "scripted".into(),
        ..NewMount::default()
    };
    let error = bench.core.enable(&ctx(), mount).await.unwrap_err();
    assert_eq!(error.to_string(), "it does not like this");
    assert!(bench.core.mount_at("other").is_none());
    assert_eq!(
        bench.core.store.keys_below("logical/").await.unwrap(),
        before
    );
    assert_eq!(bench.cleaned.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_moved_mount_serves_at_its_new_path_only() {
    let bench = Bench::new().await;
    let id = bench
        .core
        .remount(&ctx(), "m", "elsewhere/x")
        .await
        .unwrap();
    while bench.core.remount_status(&id).unwrap().status == "in-progress" {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.core.remount_status(&id).unwrap().status, "success");
    assert!(bench.ask("who").await.unwrap_err().contains("no handler"));
    assert!(bench.core.mount_at("elsewhere/x/").is_some());
}
