//! A node for the tests of this crate: real barrier and store, scripted engines.

use super::*;
use linchpin_engine::{
    BoxFuture, Context, Error as EngineError, FileFacts, InstanceStatus, Prepare, Prepared, Probe,
};
use linchpin_model::{PluginEntry, PluginType};
use linchpin_storage::MemoryStore;
use parking_lot::Mutex;

/// What a test does in place of making an engine.
type Script = dyn Fn(Prepare) -> BoxFuture<'static, Result<Prepared, EngineError>> + Send + Sync;

/// A factory that a test scripts.
#[derive(Default)]
pub(crate) struct Engines(Mutex<Option<Arc<Script>>>);

impl Engines {
    /// From now on engines are made like this.
    pub(crate) fn script(
        &self,
        script: impl Fn(Prepare) -> BoxFuture<'static, Result<Prepared, EngineError>>
        + Send
        + Sync
        + 'static,
    ) {
        *self.0.lock() = Some(Arc::new(script));
    }
}

impl BackendFactory for Engines {
    fn prepare<'a>(
        &'a self,
        _: &'a Context,
        prepare: Prepare,
    ) -> BoxFuture<'a, Result<Prepared, EngineError>> {
        let script = self.0.lock().clone();
        match script {
            Some(script) => script(prepare),
            None => Box::pin(async { Err(EngineError::refused("no script")) }),
        }
    }
}

struct NoFleet;

impl Fleet for NoFleet {
    fn inspect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<FileFacts, EngineError>> {
        // What the tests of this crate register.
        Box::pin(async {
            Ok(FileFacts {
                sha256: Some(linchpin_model::Sha256([0x11; 32])),
            })
        })
    }
    fn artefacts(&self) -> Vec<String> {
        Vec::new()
    }
    fn probe<'a>(
        &'a self,
        _: &'a Context,
        _: &'a PluginEntry,
        _: Option<PluginType>,
    ) -> BoxFuture<'a, Result<Probe, EngineError>> {
        Box::pin(async { Err(EngineError::refused("no processes in this test")) })
    }
    fn instances(&self) -> Vec<InstanceStatus> {
        Vec::new()
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A node with `sys/` (an engine that serves nothing), the token `root` and this audit stage.
pub(crate) async fn core(audit: Audit) -> (Arc<Core>, Arc<Engines>) {
    let barrier = Barrier::new(Arc::new(MemoryStore::new()), Default::default());
    let made = barrier.initialise(SystemTime::now()).await.unwrap();
    barrier.unseal(made.unseal_key.expose()).await.unwrap();
    let engines = Arc::new(Engines::default());
    let parts = Parts {
        settings: Settings {
            has_plugin_directory: true,
            drain_timeout: Duration::from_secs(20),
            ..Settings::default()
        },
        barrier: Arc::new(barrier),
        cluster: ClusterInfo::default(),
        factory: engines.clone(),
        fleet: Arc::new(NoFleet),
        builtins: vec![Builtin {
            plugin_type: PluginType::Secret,
            name: "scripted".to_owned(),
            version: linchpin_model::BUILTIN_VERSION.parse().unwrap(),
            deprecation: None,
        }],
        root_token: Secret::new("root".to_owned()),
        system: Box::new(|_| crate::instance::tests::nothing()),
        clock: || SystemTime::UNIX_EPOCH,
    };
    let core = Core::start_with(parts, audit).await.unwrap();
    (core, engines)
}
