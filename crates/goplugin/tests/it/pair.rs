//! A connected pair: a plugin whose engine does what a test's closure says, and the host's connection to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use linchpin_crypto::tls::OneTimeIdentity;
use linchpin_engine::{Backend, BoxFuture, Context, Error, SpecialPaths, StorageView, SystemView};
use linchpin_goplugin::guest::{self, Factory, HostCalls, Launch, Options, Running};
use linchpin_goplugin::host::{Connection, Instance, Open, Setup};
use linchpin_goplugin::names::{BACKEND_COOKIE, env};
use linchpin_model::{Operation, PluginType, Request, Response};
use tokio_util::sync::CancellationToken;

use crate::store::{Node, Store};

/// What the plugin's engine does with a request.
pub(crate) type Handler = Arc<
    dyn Fn(Arc<Engine>, Context, Request) -> BoxFuture<'static, Result<Option<Response>, Error>>
        + Send
        + Sync,
>;

/// The engine in the plugin.
pub(crate) struct Engine {
    pub(crate) storage: Arc<dyn StorageView>,
    pub(crate) system: Arc<dyn SystemView>,
    pub(crate) host: Arc<dyn HostCalls>,
    pub(crate) config: BTreeMap<String, String>,
}

struct Shell {
    engine: Arc<Engine>,
    handler: Handler,
}

impl Backend for Shell {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }

    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::new(SpecialPaths {
            root: vec!["config".to_owned()],
            ..SpecialPaths::default()
        })
    }

    fn initialize<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        (self.handler)(Arc::clone(&self.engine), ctx.clone(), request)
    }

    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(async move {
            if request.path == "unchecked" {
                return Ok(None);
            }
            Ok(Some(
                self.engine.storage.get(ctx, &request.path).await?.is_some(),
            ))
        })
    }

    fn invalidate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

struct Maker(Handler);

impl Factory for Maker {
    fn create(&self, setup: guest::Setup) -> BoxFuture<'static, Result<Arc<dyn Backend>, Error>> {
        let handler = Arc::clone(&self.0);
        Box::pin(async move {
            if setup.config.contains_key("refuse") {
                return Err(Error::internal("refused as told"));
            }
            let engine = Engine {
                storage: setup.storage,
                system: setup.system,
                host: setup.host,
                config: setup.config,
            };
            Ok(Arc::new(Shell {
                engine: Arc::new(engine),
                handler,
            }) as Arc<dyn Backend>)
        })
    }
}

/// The two sides.
pub(crate) struct Pair {
    pub(crate) plugin: Option<Running>,
    pub(crate) host: Connection,
    pub(crate) exited: CancellationToken,
    pub(crate) folder: PathBuf,
    /// The host's key and certificate.
    pub(crate) own: OneTimeIdentity,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A new private folder, short enough for sockets.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("lgp{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Starts a plugin for a host with this identity.
pub(crate) fn plugin(
    host: &OneTimeIdentity,
    folder: &std::path::Path,
    multiplexed: bool,
    handler: Handler,
) -> Running {
    let variables = [
        (BACKEND_COOKIE.0, BACKEND_COOKIE.1.to_owned()),
        (env::CLIENT_CERT, host.certificate_pem().to_owned()),
        (env::UNIX_SOCKET_DIR, folder.display().to_string()),
    ];
    let launch = Launch::read(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.clone())
    });
    let options = Options {
        version: "v1.2.3".to_owned(),
        multiplexed,
        ignore_shutdown: false,
        end_of_broker: CancellationToken::new(),
    };
    guest::start(launch.unwrap(), options, Arc::new(Maker(handler))).unwrap()
}

pub(crate) fn identity() -> OneTimeIdentity {
    OneTimeIdentity::generate(SystemTime::now()).unwrap()
}

impl Pair {
    /// Connects a host to a plugin that handles requests so.
    pub(crate) async fn new<F, Fut>(handler: F) -> Self
    where
        F: Fn(Arc<Engine>, Context, Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Response>, Error>> + Send + 'static,
    {
        let own = identity();
        let folder = folder();
        let handler: Handler =
            Arc::new(move |engine, ctx, request| Box::pin(handler(engine, ctx, request)));
        let plugin = plugin(&own, &folder, true, handler);
        let exited = CancellationToken::new();
        let host = Connection::open(Open {
            handshake: plugin.handshake(),
            identity: &own,
            socket_dir: folder.clone(),
            exited: exited.clone(),
            output: None,
        })
        .await
        .unwrap();
        Self {
            plugin: Some(plugin),
            host,
            exited,
            folder,
            own,
        }
    }

    /// A mount on this storage.
    pub(crate) async fn mount(&self, storage: &Arc<Store>) -> Instance {
        self.host.setup(setup(storage)).await.unwrap()
    }
}

pub(crate) fn setup(storage: &Arc<Store>) -> Setup {
    Setup {
        config: BTreeMap::from([("plugin_name".to_owned(), "test".to_owned())]),
        backend_uuid: "uuid".to_owned(),
        storage: Arc::clone(storage) as Arc<dyn StorageView>,
        system: Arc::new(Node),
    }
}

pub(crate) fn request(operation: Operation, path: &str) -> Request {
    Request {
        operation: Some(operation),
        path: path.to_owned(),
        ..Request::default()
    }
}
