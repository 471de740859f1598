//! Reloads, moves and removals that meet each other, hang, or overflow: each test is a defect that
//! once was there.

use super::*;
use crate::pipeline::audit::Audit;
use crate::start::tests::{Engines, core};
use crate::{ClientRequest, NewMount, Tuning};
use linchpin_engine::{
    Backend, BoxFuture, Error, Prepare, Prepared, Running, SpecialPaths, StorageEntry, StorageView,
};
use linchpin_model::{JsonObject, Operation, Request, Response};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
struct Plan {
    exists_hangs: bool,
    rollback_hangs: bool,
    cleanup_hangs: bool,
    open: bool,
    initialise_takes: u64,
    initialise_fails: bool,
    writes: Vec<(String, usize)>,
    resolves: bool,
    initialise_races: bool,
}

struct Odd {
    number: usize,
    plan: Plan,
    storage: Arc<dyn StorageView>,
    release: Arc<Notify>,
    seen: Arc<Mutex<Vec<Operation>>>,
}

impl Backend for Odd {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::new(SpecialPaths {
            unauthenticated: if self.plan.open {
                vec!["open".into()]
            } else {
                vec![]
            },
            ..SpecialPaths::default()
        })
    }
    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (key, size) in &self.plan.writes {
                self.storage
                    .put(
                        ctx,
                        StorageEntry {
                            key: key.clone(),
                            value: vec![0u8; *size].into(),
                            seal_wrap: false,
                        },
                    )
                    .await?;
            }
            tokio::time::sleep(Duration::from_secs(self.plan.initialise_takes)).await;
            if self.plan.initialise_races {
                ctx.race(std::future::pending::<()>()).await?;
            }
            if self.plan.initialise_fails {
                return Err(Error::refused("it does not like this"));
            }
            Ok(())
        })
    }
    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        Box::pin(async move {
            if request.operation == Some(Operation::Rollback) && self.plan.rollback_hangs {
                ctx.race(std::future::pending::<()>()).await?;
            }
            if request.path == "hold" {
                ctx.race(self.release.notified()).await?;
            }
            let data = serde_json::json!({"who": self.number});
            Ok(Some(Response::data(
                JsonObject::from_serialize(&data).unwrap(),
            )))
        })
    }
    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        _: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(async move {
            if self.plan.exists_hangs {
                // Honours its context, as a plugin call does.
                ctx.race(self.release.notified()).await?;
            }
            Ok(None)
        })
    }
    fn resolves_paths(&self) -> bool {
        self.plan.resolves
    }
    fn resolve_path<'a>(
        &'a self,
        _: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<String>, Error>> {
        self.seen.lock().push(request.operation());
        Box::pin(async { Ok(None) })
    }
    fn invalidate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.plan.cleanup_hangs {
                std::future::pending::<()>().await
            }
        })
    }
}

struct Bench {
    core: Arc<Core>,
    engines: Arc<Engines>,
    made: Arc<AtomicUsize>,
    release: Arc<Notify>,
    seen: Arc<Mutex<Vec<Operation>>>,
    storages: Arc<Mutex<Vec<Arc<dyn StorageView>>>>,
}

impl Bench {
    async fn new(plan: Plan) -> Arc<Self> {
        let (core, engines) = core(Audit::default()).await;
        let bench = Self {
            core,
            engines,
            made: Arc::default(),
            release: Arc::default(),
            seen: Arc::default(),
            storages: Arc::default(),
        };
        bench.next(plan);
        let mount = NewMount {
            path: "m".into(),
            mount_type: "scripted".into(),
            ..NewMount::default()
        };
        bench.core.enable(&ctx(), mount).await.unwrap();
        Arc::new(bench)
    }
    fn next(&self, plan: Plan) {
        let made = Arc::clone(&self.made);
        let release = Arc::clone(&self.release);
        let seen = Arc::clone(&self.seen);
        let storages = Arc::clone(&self.storages);
        self.engines.script(move |prepare: Prepare| {
            let number = made.fetch_add(1, Ordering::SeqCst) + 1;
            storages.lock().push(Arc::clone(&prepare.storage));
            let backend = Arc::new(Odd {
                number,
                plan: plan.clone(),
                storage: prepare.storage,
                release: Arc::clone(&release),
                seen: Arc::clone(&seen),
            });
            Box::pin(async move {
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
        report.results.remove(0)
    }
}

async fn ask(
    core: Arc<Core>,
    operation: Operation,
    path: &str,
    token: Option<&str>,
) -> Result<serde_json::Value, String> {
    let request = ClientRequest {
        operation: Some(operation),
        path: format!("m/{path}"),
        token: token.map(str::to_owned),
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
async fn force_reaches_the_existence_check() {
    let bench = Bench::new(Plan {
        exists_hangs: true,
        ..Plan::default()
    })
    .await;
    let mut held = tokio::task::JoinSet::new();
    let core = Arc::clone(&bench.core);
    held.spawn(async move { ask(core, Operation::Update, "x", Some("root")).await });
    tokio::task::yield_now().await;
    let result = bench.reload(true).await;
    assert_eq!(result.outcome, Outcome::Reloaded, "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn force_reaches_the_periodic_work() {
    let bench = Bench::new(Plan {
        rollback_hangs: true,
        ..Plan::default()
    })
    .await;
    let core = Arc::clone(&bench.core);
    let mount = core.node.load().at("m/").cloned().unwrap();
    let mut held = tokio::task::JoinSet::new();
    held.spawn(async move {
        core.turn(mount, &CancellationToken::new()).await;
    });
    tokio::task::yield_now().await;
    let result = bench.reload(true).await;
    assert_eq!(result.outcome, Outcome::Reloaded, "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_do_not_wait_for_the_cleanup_of_what_failed() {
    let bench = Bench::new(Plan::default()).await;
    bench.next(Plan {
        initialise_fails: true,
        cleanup_hangs: true,
        ..Plan::default()
    });
    let mut calls = tokio::task::JoinSet::new();
    let other = Arc::clone(&bench);
    calls.spawn(async move { other.reload(false).await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    let answer = ask(
        Arc::clone(&bench.core),
        Operation::Read,
        "who",
        Some("root"),
    )
    .await;
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(1),
        "waited {took:?} for {answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_through_the_gate_to_a_path_that_now_needs_a_token() {
    let bench = Bench::new(Plan {
        open: true,
        ..Plan::default()
    })
    .await;
    bench.next(Plan {
        initialise_takes: 3,
        ..Plan::default()
    });
    let mut calls = tokio::task::JoinSet::new();
    let other = Arc::clone(&bench);
    calls.spawn(async move { other.reload(false).await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let answer = ask(Arc::clone(&bench.core), Operation::Read, "open", None).await;
    assert!(answer.is_err(), "served without a token: {answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_disable_during_a_move_disables() {
    let bench = Bench::new(Plan::default()).await;
    let mut held = tokio::task::JoinSet::new();
    let core = Arc::clone(&bench.core);
    held.spawn(async move { ask(core, Operation::Read, "hold", Some("root")).await });
    tokio::task::yield_now().await;
    bench.core.remount(&ctx(), "m", "n").await.unwrap();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let release = Arc::clone(&bench.release);
    held.spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        release.notify_waiters();
        Ok(serde_json::Value::Null)
    });
    let disabled = bench.core.disable(&ctx(), "m").await;
    let left = bench.core.mount_at("n").map(|m| m.full_path);
    let call = Reload {
        selector: Selector::Mounts(vec!["n".to_owned()]),
        force: false,
        global: false,
    };
    let report = bench.core.reload(&ctx(), call).await;
    assert!(
        !(disabled.is_ok() && left.is_some()),
        "disable says {disabled:?}, but {left:?} serves on, and a reload of it says {:?}",
        report.errors
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_the_data_is_gone() {
    let bench = Bench::new(Plan {
        cleanup_hangs: true,
        ..Plan::default()
    })
    .await;
    bench.next(Plan::default());
    let result = bench.reload(false).await;
    assert!(result.retiring, "{result:?}");
    bench.core.disable(&ctx(), "m").await.unwrap();
    let old = bench.storages.lock()[0].clone();
    let wrote = old
        .put(
            &ctx(),
            StorageEntry {
                key: "late".into(),
                value: "secret".into(),
                seal_wrap: false,
            },
        )
        .await;
    let left = bench.core.store.keys_below("logical/").await.unwrap();
    assert!(left.is_empty(), "{wrote:?}: {left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_removed_mount_does_not_come_back() {
    let bench = Bench::new(Plan::default()).await;
    let mount = bench.core.node.load().at("m/").cloned().unwrap();
    bench.core.disable(&ctx(), "m").await.unwrap();
    // What `tune` does after its inspection of the file.
    let outcome = bench
        .core
        .change_record(&mount, Vec::new(), |r| {
            r.description = "x".into();
            Ok(())
        })
        .await;
    let stored = bench
        .core
        .store
        .get(linchpin_formats::keys::MOUNTS)
        .await
        .unwrap()
        .unwrap();
    let table =
        <linchpin_formats::MountTable as linchpin_formats::Record>::decode(&stored.value).unwrap();
    let text = format!("{table:?}");
    assert!(
        !text.contains("\"m/\""),
        "{outcome:?}: the stored table has m/ again"
    );
}

#[tokio::test(start_paused = true)]
async fn two_tunes_keep_both_changes() {
    let bench = Bench::new(Plan::default()).await;
    let turn = bench.core.mounts.writer.lock().await;
    let c = ctx();
    let a = bench.core.tune(
        &c,
        "m",
        Tuning {
            description: Some("both".into()),
            ..Tuning::default()
        },
    );
    let b = bench.core.tune(
        &c,
        "m",
        Tuning {
            max_lease_ttl: Some(Duration::from_secs(7200)),
            ..Tuning::default()
        },
    );
    tokio::pin!(a);
    tokio::pin!(b);
    assert!(futures_util::poll!(&mut a).is_pending());
    assert!(futures_util::poll!(&mut b).is_pending());
    drop(turn);
    a.await.unwrap();
    b.await.unwrap();
    let record = bench.core.mount_at("m").unwrap().record;
    assert_eq!(
        (
            record.description.as_str(),
            record.config.max_lease_ttl.as_secs()
        ),
        ("both", 7200)
    );
}

#[tokio::test(start_paused = true)]
async fn an_irreversible_failure_says_so() {
    let bench = Bench::new(Plan::default()).await;
    let before = bench.core.store.keys_below("logical/").await.unwrap();
    let mib = 1 << 20;
    let writes = (0..3).map(|n| (format!("k{n}"), 30 * mib)).collect();
    bench.next(Plan {
        writes,
        initialise_fails: true,
        ..Plan::default()
    });
    let result = bench.reload(false).await;
    let after = bench.core.store.keys_below("logical/").await.unwrap();
    assert!(
        after == before || result.irreversible,
        "storage has {} more keys, the result: {result:?}",
        after.len() - before.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_stored_is_refused_where_it_is_written() {
    let bench = Bench::new(Plan::default()).await;
    bench.next(Plan {
        writes: vec![("k".repeat(3000), 1)],
        ..Plan::default()
    });
    let result = bench.reload(false).await;
    assert!(
        !result.error.clone().unwrap().contains("mount table"),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn h49_resolve_path_is_asked_as_such() {
    let bench = Bench::new(Plan {
        resolves: true,
        ..Plan::default()
    })
    .await;
    ask(
        Arc::clone(&bench.core),
        Operation::Update,
        "who",
        Some("root"),
    )
    .await
    .unwrap();
    assert_eq!(*bench.seen.lock(), [Operation::ResolvePath]);
}

#[tokio::test(start_paused = true)]
async fn surge_is_not_held_by_those_who_only_wait() {
    // Whoever waits for one mount's turn holds places that other mounts need.
    let bench = Bench::new(Plan::default()).await;
    let other = NewMount {
        path: "z".into(),
        mount_type: "scripted".into(),
        ..NewMount::default()
    };
    bench.core.enable(&ctx(), other).await.unwrap();
    let mount = bench.core.node.load().at("m/").cloned().unwrap();
    let busy = mount.lifecycle.lock().await; // a move that drains, a disable whose Cleanup hangs
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..bench.core.settings.max_surge {
        let b = Arc::clone(&bench);
        calls.spawn(async move { b.reload(false).await });
    }
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    let call = Reload {
        selector: Selector::Mounts(vec!["z".to_owned()]),
        force: false,
        global: false,
    };
    let c = ctx();
    let moved = tokio::time::timeout(Duration::from_secs(60), bench.core.reload(&c, call)).await;
    drop(busy);
    assert!(moved.is_ok(), "z could not be reloaded within 60 s");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_initialize_is_named_also_when_the_engine_honours_its_context() {
    let bench = Bench::new(Plan::default()).await;
    bench.next(Plan {
        initialise_races: true,
        ..Plan::default()
    });
    let result = bench.reload(false).await;
    assert!(
        result.error.clone().unwrap().contains("Initialize"),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_moves_finds_nothing_to_move() {
    let bench = Bench::new(Plan::default()).await;
    let a = bench.core.remount(&ctx(), "m", "a").await.unwrap();
    let b = bench.core.remount(&ctx(), "m", "b").await.unwrap();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    let status = |id: &str| bench.core.remount_status(id).unwrap().status;
    assert_ne!(
        (status(&a), status(&b)),
        ("success", "success"),
        "at a: {}, at b: {}",
        bench.core.mount_at("a").is_some(),
        bench.core.mount_at("b").is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn all_data_goes_with_the_mount() {
    let bench = Bench::new(Plan::default()).await;
    let storage = bench.storages.lock()[0].clone();
    let folder = StorageEntry {
        key: "folder/".into(),
        value: "secret".into(),
        seal_wrap: false,
    };
    // No listing shows such a key, so none is taken.
    storage.put(&ctx(), folder).await.unwrap_err();
    storage
        .put(
            &ctx(),
            StorageEntry {
                key: "folder/x".into(),
                value: "secret".into(),
                seal_wrap: false,
            },
        )
        .await
        .unwrap();
    bench.core.disable(&ctx(), "m").await.unwrap();
    assert!(
        bench
            .core
            .store
            .keys_below("logical/")
            .await
            .unwrap()
            .is_empty()
    );
}
