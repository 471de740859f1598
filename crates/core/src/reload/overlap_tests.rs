//! Generations that cannot run beside each other: they hold one port, and whoever is set up while
//! another holds it fails.

use super::*;
use crate::pipeline::audit::Audit;
use crate::start::tests::{Engines, core};
use crate::{ClientRequest, NewMount};
use linchpin_catalog::Registration;
use linchpin_engine::{
    Backend, BoxFuture, Captured, Error, Health, Joining, PluginSource, Prepare, Prepared, Running,
    SpecialPaths,
};
use linchpin_model::{JsonObject, Operation, Request, Response};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The machine that the plugins run on: a port that one process holds, and which versions start.
#[derive(Default)]
struct Machine {
    /// The generation that holds the port, and its mounts.
    holder: Option<(u64, BTreeSet<String>)>,
    last_generation: u64,
    broken: BTreeSet<String>,
    starts: Vec<String>,
}

struct Holder {
    machine: Arc<Mutex<Machine>>,
    mount: String,
    version: String,
    generation: u64,
}

impl Backend for Holder {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::default()
    }
    fn initialize<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
    fn handle<'a>(
        &'a self,
        _: &'a Context,
        _: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        Box::pin(async {
            let data = serde_json::json!({"version": self.version, "generation": self.generation});
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
        let mut machine = self.machine.lock();
        if let Some((generation, mounts)) = &mut machine.holder
            && *generation == self.generation
        {
            mounts.remove(&self.mount);
            if mounts.is_empty() {
                machine.holder = None;
            }
        }
        Box::pin(async {})
    }
}

struct World {
    core: Arc<Core>,
    machine: Arc<Mutex<Machine>>,
}

fn ctx() -> Context {
    Context {
        request_id: linchpin_crypto::random::uuid().into(),
        ..Context::internal(CancellationToken::new())
    }
}

impl World {
    /// Versions 1.0.0 and 1.1.0 of `tp`, and mounts `a/` and `b/` that run the first.
    async fn new(overlap: bool) -> Self {
        let (core, engines) = core(Audit::default()).await;
        let machine: Arc<Mutex<Machine>> = Arc::default();
        script(&engines, Arc::clone(&machine));
        let world = Self { core, machine };
        for version in ["1.0.0", "1.1.0"] {
            let registration = Registration {
                plugin_type: Some(PluginType::Secret),
                name: "tp".into(),
                version: version.into(),
                sha256: "11".repeat(32),
                command: format!("tp-{version}"),
                overlap,
                ..Registration::default()
            };
            world.core.register(&ctx(), registration).await.unwrap();
        }
        for path in ["a", "b"] {
            let mount = NewMount {
                path: path.into(),
                mount_type: "tp".into(),
                plugin_version: "1.0.0".into(),
                ..NewMount::default()
            };
            world.core.enable(&ctx(), mount).await.unwrap();
        }
        let ctx = ctx();
        let pinned = world.core.pin(&ctx, PluginType::Secret, "tp", "1.1.0");
        pinned.await.unwrap();
        world
    }

    fn breaks(&self, version: &str) {
        self.machine.lock().broken.insert(version.to_owned());
    }

    async fn reload(&self, mount: &str) -> Report {
        let call = Reload {
            selector: Selector::Mounts(vec![mount.to_owned()]),
            force: false,
            global: false,
        };
        self.core.reload(&ctx(), call).await
    }

    async fn ask(&self, mount: &str) -> Result<serde_json::Value, crate::Error> {
        let request = ClientRequest {
            operation: Some(Operation::Read),
            path: format!("{mount}/who"),
            token: Some("root".to_owned()),
            ..ClientRequest::default()
        };
        let answer = self.core.handle(ctx(), request).await?;
        Ok(answer.unwrap().data.unwrap().decode().unwrap())
    }
}

fn script(engines: &Engines, machine: Arc<Mutex<Machine>>) {
    engines.script(move |prepare: Prepare| {
        let machine = Arc::clone(&machine);
        Box::pin(async move {
            let (version, sha256) = match &prepare.source {
                PluginSource::External(entry) => (entry.version_text().to_owned(), entry.sha256),
                PluginSource::Captured(captured) => {
                    let version = captured.0.downcast_ref::<String>().unwrap().clone();
                    (version, Sha256([0x11; 32]))
                }
                PluginSource::Builtin(_) => return Err(Error::refused("no built-in here")),
            };
            let mut now = machine.lock();
            let newer_than = match &prepare.joining {
                Joining::NewerThan { generation, .. } => *generation,
                Joining::Newest => None,
            };
            if now.broken.contains(&version) {
                return Err(Error::refused(format!("{version} does not start")));
            }
            let mount = prepare.mount.path.clone();
            let generation = match &mut now.holder {
                Some((generation, mounts)) if newer_than.is_none_or(|old| old < *generation) => {
                    mounts.insert(mount.clone());
                    *generation
                }
                Some(_) => return Err(Error::refused("listen: address already in use")),
                None => {
                    now.last_generation += 1;
                    let generation = now.last_generation;
                    now.holder = Some((generation, [mount.clone()].into()));
                    now.starts.push(version.clone());
                    generation
                }
            };
            drop(now);
            Ok(Prepared {
                running: Running {
                    version: version.clone(),
                    sha256: Some(sha256),
                    generation: Some(generation),
                },
                captured: Some(Captured(Arc::new(version.clone()))),
                backend: Arc::new(Holder {
                    machine,
                    mount,
                    version,
                    generation,
                }),
            })
        })
    });
}

#[tokio::test(start_paused = true)]
async fn the_mounts_of_a_generation_move_together() {
    let world = World::new(false).await;
    let report = world.reload("a").await;
    assert!(report.errors.is_empty(), "{report:?}");
    let moved: Vec<_> = report
        .results
        .iter()
        .map(|r| (r.mount.as_str(), r.outcome, r.to_version.as_str()))
        .collect();
    let reloaded = Outcome::Reloaded;
    assert_eq!(
        moved,
        [("a/", reloaded, "v1.1.0"), ("b/", reloaded, "v1.1.0")]
    );
    for mount in ["a", "b"] {
        assert_eq!(world.ask(mount).await.unwrap()["generation"], 2);
    }
    assert_eq!(world.machine.lock().starts, ["v1.0.0", "v1.1.0"]);
}

#[tokio::test(start_paused = true)]
async fn one_call_for_all_of_them_stops_and_starts_once() {
    let world = World::new(false).await;
    let call = Reload {
        selector: Selector::Plugin {
            name: "tp".to_owned(),
            plugin_type: None,
        },
        force: false,
        global: false,
    };
    let report = world.core.reload(&ctx(), call).await;
    assert_eq!((report.results.len(), report.count()), (2, 2), "{report:?}");
    assert_eq!(world.machine.lock().starts, ["v1.0.0", "v1.1.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_fails_gives_the_old_generation_back() {
    let world = World::new(false).await;
    world.breaks("v1.1.0");
    let report = world.reload("a").await;
    assert_eq!(report.results.len(), 2);
    for result in &report.results {
        assert_eq!(result.outcome, Outcome::Failed);
        assert_eq!(result.error.as_deref(), Some("v1.1.0 does not start"));
        assert_eq!(result.to_version, "v1.0.0");
    }
    for mount in ["a", "b"] {
        assert_eq!(world.ask(mount).await.unwrap()["version"], "v1.0.0");
    }
    assert_eq!(world.machine.lock().starts, ["v1.0.0", "v1.0.0"]);
}

#[tokio::test(start_paused = true)]
async fn with_nothing_healthy_left_the_mounts_are_degraded_and_heal_by_themselves() {
    let world = World::new(false).await;
    world.breaks("v1.1.0");
    world.breaks("v1.0.0");
    let report = world.reload("a").await;
    let text = report.errors.concat();
    assert!(text.contains("v1.1.0 does not start"), "{text}");
    assert!(text.contains("does not start again either"), "{text}");
    for mount in ["a", "b"] {
        let refused = world.ask(mount).await.unwrap_err().to_string();
        assert!(
            refused.contains("no plugin process serves this mount"),
            "{refused}"
        );
        let status = world.core.mount_at(mount).unwrap();
        assert!(matches!(status.health, Health::Degraded { .. }));
        assert_eq!(status.running.version, "");
    }
    world.machine.lock().broken.clear();
    tokio::time::sleep(Duration::from_secs(10)).await;
    for mount in ["a", "b"] {
        assert_eq!(world.ask(mount).await.unwrap()["version"], "v1.0.0");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_mark_the_error_names_it() {
    let world = World::new(true).await;
    let report = world.reload("a").await;
    let text = report.errors.concat();
    assert!(text.contains("address already in use"), "{text}");
    assert!(text.contains("overlap=false"), "{text}");
    assert_eq!(report.results.len(), 1, "its sibling is not touched");
    assert_eq!(world.ask("a").await.unwrap()["generation"], 1);
}
