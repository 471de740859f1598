//! Checks of plugin-protocol §8 that are the core's: what an engine is asked, when, and what of its
//! answer reaches a client.

use crate::pipeline::audit::Audit;
use crate::start::tests::{Engines, core};
use crate::{ClientRequest, Core, NewMount, Reload, Selector, Tuning};
use linchpin_engine::{
    Backend, BoxFuture, Context, Error, Prepare, Prepared, Running, SpecialPaths, StorageEntry,
    StorageError, StorageView,
};
use linchpin_model::{JsonObject, Lease, Operation, PluginType, Request, Response, Secret};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the engines of a test have in common.
#[derive(Default)]
struct World {
    made: AtomicU64,
    /// What instances were asked: the number of the instance, the operation, the path.
    asked: Mutex<Vec<(u64, Operation, String)>>,
    told: Mutex<Vec<(u64, String)>>,
    in_rollback: AtomicU64,
    most_in_rollback: AtomicU64,
    storages: Mutex<Vec<Arc<dyn StorageView>>>,
    cleanup_waits: AtomicBool,
    /// Lets a Cleanup go on, and `resolve_path` of a path `held` go on.
    release: Notify,
    held: Notify,
}

struct Engine {
    number: u64,
    world: Arc<World>,
}

impl Engine {
    fn note(&self, operation: Operation, path: &str) {
        let asked = (self.number, operation, path.to_owned());
        self.world.asked.lock().push(asked);
    }
}

impl Backend for Engine {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::new(SpecialPaths {
            unauthenticated: vec![format!("open-{}", self.number)],
            ..SpecialPaths::default()
        })
    }
    fn initialize<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        self.note(Operation::Update, "initialize");
        Box::pin(async { Ok(()) })
    }
    fn handle<'a>(
        &'a self,
        _: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        self.note(request.operation(), &request.path);
        Box::pin(async move {
            match (request.operation(), request.path.as_str()) {
                (Operation::Rollback, _) => {
                    let now = self.world.in_rollback.fetch_add(1, Ordering::SeqCst) + 1;
                    self.world.most_in_rollback.fetch_max(now, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(200)).await;
                    self.world.in_rollback.fetch_sub(1, Ordering::SeqCst);
                    Err(Error::unsupported_operation())
                }
                (_, "headers") => Ok(Some(Response {
                    headers: vec![
                        ("X-Listed".into(), vec!["1".into()]),
                        ("X-Other".into(), vec!["2".into()]),
                    ],
                    ..Response::data(object("{}"))
                })),
                (_, "hint") => Ok(Some(Response {
                    secret: Some(Secret {
                        lease: Lease::default(),
                        internal_data: None,
                    }),
                    ..Response::data(object(r#"{"shown":1}"#))
                })),
                (_, "secret") => Ok(Some(Response {
                    secret: Some(Secret {
                        lease: Lease::default(),
                        internal_data: Some(object(r#"{"hidden":"internal"}"#)),
                    }),
                    ..Response::data(object(r#"{"shown":1}"#))
                })),
                _ => Ok(Some(Response::data(object(&format!(
                    r#"{{"instance":{}}}"#,
                    self.number
                ))))),
            }
        })
    }
    fn exists<'a>(
        &'a self,
        _: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        let answer = match request.path.as_str() {
            "new" => Ok(Some(false)),
            "there" => Ok(Some(true)),
            "nowhere" => Err(Error::unsupported_path()),
            _ => Ok(None),
        };
        Box::pin(async { answer })
    }
    fn resolves_paths(&self) -> bool {
        true
    }
    fn resolve_path<'a>(
        &'a self,
        _: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<String>, Error>> {
        self.note(request.operation(), &request.path);
        Box::pin(async move {
            match request.path.as_str() {
                "HELD" => {
                    self.world.held.notify_one();
                    self.world.release.notified().await;
                    Ok(Some("held".to_owned()))
                }
                "Folded" => Ok(Some("folded".to_owned())),
                _ => Ok(None),
            }
        })
    }
    fn invalidate<'a>(&'a self, _: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        self.world.told.lock().push((self.number, key.to_owned()));
        Box::pin(async {})
    }
    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        self.note(Operation::Delete, "cleanup");
        Box::pin(async {
            if self.world.cleanup_waits.load(Ordering::SeqCst) {
                self.world.release.notified().await;
            }
        })
    }
}

fn object(text: &str) -> JsonObject {
    JsonObject::from_text(text.to_owned()).unwrap()
}

fn ctx() -> Context {
    Context::internal(CancellationToken::new())
}

/// A node with the engine at `m/`.
async fn mounted() -> (Arc<Core>, Arc<World>) {
    let (core, engines) = core(Audit::default()).await;
    let world: Arc<World> = Arc::default();
    script(&engines, &world);
    let mount = NewMount {
        path: "m".into(),
        mount_type: "scripted".into(),
        ..NewMount::default()
    };
    core.enable(&ctx(), mount).await.unwrap();
    (core, world)
}

fn script(engines: &Engines, world: &Arc<World>) {
    let world = Arc::clone(world);
    engines.script(move |prepare: Prepare| {
        let world = Arc::clone(&world);
        Box::pin(async move {
            let number = world.made.fetch_add(1, Ordering::SeqCst) + 1;
            world.storages.lock().push(Arc::clone(&prepare.storage));
            Ok(Prepared {
                backend: Arc::new(Engine { number, world }),
                running: Running::default(),
                captured: None,
            })
        })
    });
}

async fn ask(
    core: &Arc<Core>,
    operation: Operation,
    path: &str,
) -> Result<Option<Response>, crate::Error> {
    let request = ClientRequest {
        operation: Some(operation),
        path: format!("m/{path}"),
        token: Some("root".to_owned()),
        ..ClientRequest::default()
    };
    core.handle(ctx(), request).await
}

async fn reload(core: &Arc<Core>) {
    let call = Reload {
        selector: Selector::Mounts(vec!["m".to_owned()]),
        force: false,
        global: false,
    };
    let report = core.reload(&ctx(), call).await;
    assert!(report.errors.is_empty(), "{report:?}");
}

#[tokio::test]
async fn h21_storage_refuses_writes_from_setup_until_initialize() {
    let (core, world) = mounted().await;
    let entry = || StorageEntry {
        key: "a".into(),
        value: "1".into(),
        seal_wrap: false,
    };
    // What the mount's instance was given is live now; what a Setup is given is not.
    let live = Arc::clone(&world.storages.lock()[0]);
    live.put(&ctx(), entry()).await.unwrap();
    let storage = core
        .node
        .load()
        .at("m/")
        .unwrap()
        .storage()
        .unwrap()
        .clone();
    let setup = crate::view::InstanceView::new(&storage);
    let setup = crate::view::EngineStorage(setup);
    let refused = setup.put(&ctx(), entry()).await.unwrap_err();
    assert!(matches!(refused, StorageError::Setup));
    assert_eq!(refused.to_string(), "cannot write to storage during setup");
    assert!(setup.get(&ctx(), "a").await.unwrap().is_some());
}

#[tokio::test]
async fn h26_the_existence_check_tells_create_from_update() {
    let (core, world) = mounted().await;
    for (path, expected) in [
        ("new", Operation::Create),
        ("there", Operation::Update),
        ("plain", Operation::Update),
        ("nowhere", Operation::Update),
    ] {
        ask(&core, Operation::Update, path).await.unwrap();
        let last = world.asked.lock().last().cloned().unwrap();
        assert_eq!(last, (1, expected, path.to_owned()));
    }
}

#[tokio::test]
async fn h29_headers_of_an_answer_pass_when_the_mount_lists_them() {
    let (core, _) = mounted().await;
    let answer = ask(&core, Operation::Read, "headers").await.unwrap();
    assert!(answer.unwrap().headers.is_empty());
    let tuning = Tuning {
        allowed_response_headers: Some(vec!["x-listed".into()]),
        ..Tuning::default()
    };
    core.tune(&ctx(), "m", tuning).await.unwrap();
    let answer = ask(&core, Operation::Read, "headers").await.unwrap();
    let listed = ("X-Listed".to_owned(), vec!["1".to_owned()]);
    assert_eq!(answer.unwrap().headers, [listed]);
}

#[tokio::test]
async fn h31_internal_data_never_reaches_a_client() {
    let (core, world) = mounted().await;
    let hint = ask(&core, Operation::Read, "hint").await.unwrap().unwrap();
    assert!(hint.secret.unwrap().internal_data.is_none());
    // Without leases a secret that needs one is revoked, with its internal data, and not returned.
    let refused = ask(&core, Operation::Read, "secret").await.unwrap_err();
    assert!(!refused.to_string().contains("internal\""), "{refused}");
    let last = world.asked.lock().last().cloned().unwrap();
    assert_eq!((last.1, last.2.as_str()), (Operation::Revoke, "secret"));
}

#[tokio::test(start_paused = true)]
async fn h32_periodic_work_comes_every_minute_and_never_twice_at_a_time() {
    let (core, world) = mounted().await;
    let rollbacks = || {
        let asked = world.asked.lock();
        asked.iter().filter(|a| a.1 == Operation::Rollback).count()
    };
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(rollbacks(), 1);
    // Each takes 200 s: none begins before the one before has ended.
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert!((3..=6).contains(&rollbacks()), "{}", rollbacks());
    assert_eq!(world.most_in_rollback.load(Ordering::SeqCst), 1);
    core.stop_lifecycle();
}

#[tokio::test]
async fn h39_a_reload_sets_a_new_instance_up_initialises_it_and_asks_its_special_paths() {
    let (core, world) = mounted().await;
    reload(&core).await;
    let asked = world.asked.lock().clone();
    let of = |number: u64, path: &str| asked.iter().any(|a| a.0 == number && a.2 == path);
    assert!(of(2, "initialize") && of(1, "cleanup"), "{asked:?}");
    let open = |path: &str| core.node.load().at("m/").unwrap().is_unauthenticated(path);
    assert!(open("open-2") && !open("open-1"));
}

#[tokio::test]
async fn h49_the_canonical_path_is_what_is_served() {
    let (core, world) = mounted().await;
    world.asked.lock().clear();
    ask(&core, Operation::Read, "Folded").await.unwrap();
    ask(&core, Operation::Read, "plain").await.unwrap();
    let (question, read) = (Operation::ResolvePath, Operation::Read);
    let expected = [
        (1, question, "Folded".to_owned()),
        (1, read, "folded".to_owned()),
        (1, question, "plain".to_owned()),
        (1, read, "plain".to_owned()),
    ];
    assert_eq!(*world.asked.lock(), expected);
}

#[tokio::test]
async fn h59_a_reload_between_the_question_and_the_request_does_not_part_them() {
    let (core, world) = mounted().await;
    let (asking, reloading) = (Arc::clone(&core), Arc::clone(&core));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        ask(&asking, Operation::Read, "HELD").await.unwrap();
    });
    world.held.notified().await;
    tasks.spawn(async move { reload(&reloading).await });
    // The new instance is there, and waits for the request to leave the old one.
    while world.made.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    world.release.notify_one();
    while tasks.join_next().await.is_some() {}
    let asked = world.asked.lock().clone();
    let of_held = asked.iter().filter(|a| a.2.eq_ignore_ascii_case("held"));
    let instances: Vec<u64> = of_held.map(|a| a.0).collect();
    assert_eq!(instances, [1, 1], "{asked:?}");
    let now = ask(&core, Operation::Read, "x").await.unwrap().unwrap();
    assert_eq!(now.data.unwrap().as_str(), r#"{"instance":2}"#);
}

#[tokio::test(start_paused = true)]
async fn h61_a_key_that_another_has_changed_is_told_by_its_relative_name() {
    let (core, world) = mounted().await;
    world.cleanup_waits.store(true, Ordering::SeqCst);
    reload(&core).await;
    // The old instance is in its Cleanup, and writes: applied, since nobody has touched the key.
    let old = Arc::clone(&world.storages.lock()[0]);
    let entry = StorageEntry {
        key: "folder/key".into(),
        value: "late".into(),
        seal_wrap: false,
    };
    old.put(&ctx(), entry).await.unwrap();
    assert_eq!(*world.told.lock(), [(2, "folder/key".to_owned())]);
    world.cleanup_waits.store(false, Ordering::SeqCst);
    world.release.notify_one();
}
