//! The node of these tests and how they ask it.

use linchpin_barrier::Barrier;
use linchpin_catalog::Builtin;
use linchpin_core::{ClientRequest, Core, Error, Parts, Settings};
use linchpin_crypto::Secret;
use linchpin_engine::{
    BackendFactory, BoxFuture, ClusterInfo, Context, Error as EngineError, FileFacts, Fleet,
    InstanceStatus, PluginSource, Prepare, Prepared, Probe, Running,
};
use linchpin_model::{
    BUILTIN_VERSION, ErrorKind, JsonObject, Operation, PluginEntry, PluginType, Response, Sha256,
};
use linchpin_storage::MemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;

/// The digest of every file.
pub(crate) const DIGEST: Sha256 = Sha256([0x11; 32]);
/// The command of a plugin that does not start.
pub(crate) const BROKEN: &str = "broken";

/// Every plugin is `kv`.
struct Engines;

impl BackendFactory for Engines {
    fn prepare<'a>(
        &'a self,
        _ctx: &'a Context,
        prepare: Prepare,
    ) -> BoxFuture<'a, Result<Prepared, EngineError>> {
        Box::pin(async move {
            let (name, running) = match &prepare.source {
                PluginSource::External(entry) if entry.command == BROKEN => {
                    return Err(EngineError::refused("it does not start"));
                }
                PluginSource::External(entry) => (
                    "kv",
                    Running {
                        version: entry.version_text().to_owned(),
                        sha256: Some(entry.sha256),
                        generation: Some(1),
                    },
                ),
                PluginSource::Captured(_) => {
                    return Err(EngineError::internal("nothing is captured here"));
                }
                PluginSource::Builtin(name) => (
                    name.as_str(),
                    Running {
                        version: BUILTIN_VERSION.to_owned(),
                        ..Running::default()
                    },
                ),
            };
            let made =
                linchpin_builtins::make(name, &prepare.mount, prepare.storage, prepare.system);
            Ok(Prepared {
                backend: made.unwrap()?,
                running,
                captured: None,
            })
        })
    }
}

/// Files that are all alike, and no processes.
struct Files;

impl Fleet for Files {
    fn inspect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<FileFacts, EngineError>> {
        Box::pin(async {
            Ok(FileFacts {
                sha256: Some(DIGEST),
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
        Box::pin(async {
            Ok(Probe {
                plugin_type: PluginType::Secret,
                version: String::new(),
            })
        })
    }

    fn instances(&self) -> Vec<InstanceStatus> {
        Vec::new()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

pub(crate) struct Node(Arc<Core>);

impl Node {
    pub(crate) async fn start() -> Self {
        let barrier = Barrier::new(Arc::new(MemoryStore::new()), Default::default());
        let made = barrier.initialise(SystemTime::now()).await.unwrap();
        barrier.unseal(made.unseal_key.expose()).await.unwrap();
        let builtin = |engine: linchpin_builtins::Builtin| Builtin {
            plugin_type: engine.plugin_type,
            name: engine.name.to_owned(),
            version: BUILTIN_VERSION.parse().unwrap(),
            deprecation: Some(engine.deprecation),
        };
        let core = Core::start(Parts {
            settings: Settings {
                has_plugin_directory: true,
                ..Settings::default()
            },
            barrier: Arc::new(barrier),
            cluster: ClusterInfo {
                name: "cluster".to_owned(),
                id: "id".to_owned(),
            },
            factory: Arc::new(Engines),
            fleet: Arc::new(Files),
            builtins: linchpin_builtins::ALL.map(builtin).to_vec(),
            root_token: Secret::new("root".to_owned()),
            system: Box::new(linchpin_sys::make),
            clock: SystemTime::now,
        });
        Self(core.await.unwrap())
    }

    /// Asks with the root token. `body` is the body, or the query parameters; `{}` is neither.
    pub(crate) async fn ask(&self, operation: Operation, path: &str, body: Value) -> Answer {
        self.send(operation, path, body, Some("root")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Operation::Read, path, json!({})).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Operation::Update, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Operation::Delete, path, json!({})).await
    }

    /// Reads without a token.
    pub(crate) async fn get_as_nobody(&self, path: &str) -> Answer {
        self.send(Operation::Read, path, json!({}), None).await
    }

    async fn send(
        &self,
        operation: Operation,
        path: &str,
        body: Value,
        token: Option<&str>,
    ) -> Answer {
        let ctx = Context {
            request_id: Arc::from("request"),
            ..Context::internal(CancellationToken::new())
        };
        let data = JsonObject::from_serialize(&body).unwrap();
        let request = ClientRequest {
            operation: Some(operation),
            path: path.to_owned(),
            data: Some(data).filter(|data| !data.is_empty()),
            token: token.map(str::to_owned),
            ..ClientRequest::default()
        };
        Answer {
            asked: format!("{} {path} {body}", operation.as_str()),
            outcome: self.0.handle(ctx, request).await,
        }
    }
}

/// What came back.
pub(crate) struct Answer {
    asked: String,
    outcome: Result<Option<Response>, Error>,
}

impl Answer {
    fn present(self) -> Response {
        match self.outcome {
            Ok(Some(response)) => response,
            other => panic!("{}: {other:?}", self.asked),
        }
    }

    /// 204, or the empty 404 of a read.
    pub(crate) fn nothing(self) {
        assert!(
            matches!(self.outcome, Ok(None)),
            "{}: {:?}",
            self.asked,
            self.outcome
        );
    }

    /// The data, and that there is no warning.
    pub(crate) fn data(self) -> Value {
        let response = self.present();
        assert_eq!(response.warnings, Vec::<String>::new());
        value(response.data)
    }

    /// The data and the warnings.
    pub(crate) fn warned(self) -> (Value, Vec<String>) {
        let response = self.present();
        let warnings = response.warnings;
        (value(response.data), warnings)
    }

    /// The whole response.
    pub(crate) fn response(self) -> Response {
        self.present()
    }

    /// Status and document of a bare answer.
    pub(crate) fn bare(self) -> (u16, String) {
        let raw = self.present().raw.expect("a bare answer");
        (raw.status, String::from_utf8(raw.body.to_vec()).unwrap())
    }

    /// plain(400) with this text.
    pub(crate) fn refused(self, text: &str) {
        self.fails(ErrorKind::InvalidRequest, text);
    }

    /// An error of this kind whose text, as the body has it, is this one.
    pub(crate) fn fails(self, kind: ErrorKind, text: &str) {
        let asked = self.asked.clone();
        let error = self.error();
        assert_eq!(
            (error.kind(), error.rendered()),
            (kind, vec![text.to_owned()]),
            "{asked}"
        );
    }

    /// The error.
    pub(crate) fn error(self) -> EngineError {
        match self.outcome {
            Err(Error::Engine(error)) => error,
            Err(Error::TokenNotAccepted) => EngineError::new(
                ErrorKind::PermissionDenied,
                linchpin_engine::Shape::Plain,
                vec!["permission denied".to_owned()],
            ),
            other => panic!("{}: {other:?}", self.asked),
        }
    }
}

fn value(data: Option<JsonObject>) -> Value {
    data.map_or(Value::Null, |data| {
        serde_json::from_str(data.as_str()).unwrap()
    })
}

/// `1 error occurred`, around a text.
pub(crate) fn wrapped(text: &str) -> String {
    format!("1 error occurred:\n\t* {text}\n\n")
}
