//! The start of a dev server, its life, and its end.
//!
//! The order is: logging, the listener (so that a taken port is found before anything is started), the barrier over a
//! store in memory, the plugin host, the node, `secret/`, the files of the plugin directory, the banner, requests.
//! Requests that arrive before that wait in the listener's queue.

mod plugin_init;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use linchpin_barrier::Barrier;
use linchpin_core::{Core, NewMount, Parts};
use linchpin_crypto::Secret;
use linchpin_engine::{ClusterInfo, Context, Fleet};
use linchpin_model::PluginType;
use linchpin_plugin_host::PluginHost;
use linchpin_plugin_host::launch::Launcher;
use linchpin_storage::MemoryStore;
use linchpin_telemetry as telemetry;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::arguments::ServerFlags;
use crate::banner::{Banner, Files, Plugins};
use crate::settings::{self, Start};
use crate::signals::Signals;
use crate::{engines, hardening, token_file};

/// How long the end of the process waits for a file operation that hangs.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// How long the start waits until the banner is read.
const BANNER: Duration = Duration::from_secs(1);

/// Runs a server until a signal ends it.
///
/// # Errors
/// It cannot be started. What was started is gone again.
pub(crate) fn run(flags: ServerFlags) -> Result<()> {
    let start = settings::resolve(flags, |name| std::env::var(name).ok())?;
    let colour =
        |is_terminal| telemetry::wants_colour(std::env::var_os("NO_COLOR").as_deref(), is_terminal);
    telemetry::init(telemetry::Options {
        level: start.log_level,
        format: start.log_format,
        colour: colour(std::io::stderr().is_terminal()),
    })?;
    hardening::apply();
    for warning in &start.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let outcome = runtime.block_on(within_signals(
        start,
        colour(std::io::stdout().is_terminal()),
    ));
    runtime.shutdown_timeout(LEFTOVERS);
    outcome
}

/// The server with signals caught around it.
async fn within_signals(start: Start, colour: bool) -> Result<()> {
    let (stop, over) = (CancellationToken::new(), CancellationToken::new());
    let signals = Signals::catch().context("catch signals")?;
    let tasks = TaskTracker::new();
    tasks.spawn(signals.watch(stop.clone(), over.clone()));
    let store = Arc::new(MemoryStore::new());
    #[cfg(feature = "fault-injection")]
    crate::dump::start(Arc::clone(&store), &tasks, over.clone())?;
    let outcome = serve(start, store, colour, &stop).await;
    over.cancel();
    tasks.close();
    tasks.wait().await;
    outcome
}

/// Starts the parts, serves, and ends the parts, whatever happened in between.
async fn serve(
    mut start: Start,
    store: Arc<MemoryStore>,
    colour: bool,
    stop: &CancellationToken,
) -> Result<()> {
    let listener = listen(&start.listen).await?;
    let address = listener
        .local_addr()
        .context("read the listener's address")?;
    if start.core.api_addr.is_empty() {
        start.core.api_addr = format!("http://{address}");
    }
    if let Ok(name) = rustix::system::uname().nodename().to_str() {
        start.core.node_name = name.to_owned();
    }
    let storage = open_storage(store, &start.cluster_name).await?;
    let plugins = start_plugin_host(&start)?;
    let fleet: Arc<dyn Fleet> = Arc::new(plugins.clone());
    let parts = Parts {
        settings: start.core.clone(),
        barrier: storage.barrier,
        cluster: storage.cluster,
        factory: Arc::new(engines::Engines::new(plugins)),
        fleet: Arc::clone(&fleet),
        builtins: engines::listed()?,
        root_token: start.root_token.clone(),
        system: Box::new(linchpin_sys::make),
        clock: SystemTime::now,
    };
    let core = match Core::start(parts).await {
        Ok(core) => core,
        Err(error) => {
            fleet.shutdown().await;
            return Err(error).context("start the node");
        }
    };
    let ready = furnish(&core, &start, stop).await;
    if let Ok(plugins) = &ready
        && !stop.is_cancelled()
    {
        let unseal_key = storage.unseal_key.expose();
        announce(&start, &address.to_string(), unseal_key, plugins, colour).await;
        let limits = start.http.clone();
        let server = linchpin_http::Server::new(Arc::clone(&core), limits, stop.clone());
        // A reload must not wait for requests that the end of the server waits for.
        let lifecycle = async {
            stop.cancelled().await;
            core.stop_lifecycle();
        };
        tokio::join!(server.run(listener), lifecycle);
    }
    core.shutdown().await;
    tracing::info!("ended");
    match ready {
        // What a signal to end has interrupted has not failed.
        Err(_) if stop.is_cancelled() => Ok(()),
        ready => ready.map(drop),
    }
}

/// What a dev server has besides `sys/`: `secret/`, and the plugins of the plugin directory.
async fn furnish(
    core: &Arc<Core>,
    start: &Start,
    stop: &CancellationToken,
) -> Result<Option<Plugins>> {
    let ctx = Context::internal(stop.clone());
    if start.mount_secret {
        mount_secret(core, &ctx).await?;
    }
    let Some(directory) = &start.plugins.plugin_directory else {
        return Ok(None);
    };
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    let files = match start.plugin_init {
        true => Files::Registered(plugin_init::register_all(core, &ctx).await),
        false => Files::Found(core.fleet().artefacts()),
    };
    Ok(Some(Plugins { directory, files }))
}

/// Says that the server is there, in the banner and in the log.
async fn announce(
    start: &Start,
    address: &str,
    unseal_key: &[u8],
    plugins: &Option<Plugins>,
    colour: bool,
) {
    let token_file = store_token(start);
    let banner = Banner {
        api_addr: &start.core.api_addr,
        listener: &format!("tcp {address}, without TLS"),
        log_level: start.log_level.as_str(),
        root_token: start.root_token.expose(),
        token_file: token_file.as_deref(),
        unseal_key: &BASE64_STANDARD.encode(unseal_key),
        has_secret: start.mount_secret,
        plugins: plugins.as_ref(),
    };
    let mut text = Vec::new();
    let written = banner.write(&mut text, colour);
    // A reader that is gone or has stalled is no reason not to serve: the banner is written beside the runtime, and not
    // waited for longer than it takes somebody who reads it.
    let writes = TaskTracker::new();
    let print = move || written.and_then(|()| std::io::stdout().lock().write_all(&text));
    match timeout(BANNER, writes.spawn_blocking(print)).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::debug!(%error, "nobody reads the banner"),
        _ => tracing::warn!("the banner is not read: who reads standard output has stalled"),
    }
    tracing::info!(address, "ready");
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = "choose another with -dev-listen-address";
        match error.kind() {
            std::io::ErrorKind::AddrInUse => anyhow!(
                "listen on {address}: address already in use: stop the program that uses it, or {advice}"
            ),
            _ => anyhow!("listen on {address}: {error}: {advice}"),
        }
    })
}

/// A new storage, open.
struct Storage {
    barrier: Arc<Barrier>,
    unseal_key: Secret<Vec<u8>>,
    cluster: ClusterInfo,
}

async fn open_storage(store: Arc<MemoryStore>, cluster_name: &str) -> Result<Storage> {
    let barrier = Barrier::new(store, linchpin_barrier::Settings::default());
    let made = barrier
        .initialise(SystemTime::now())
        .await
        .context("initialise the storage")?;
    barrier
        .unseal(made.unseal_key.expose())
        .await
        .context("unseal the storage")?;
    let name = match cluster_name {
        "" => made.cluster.name,
        name => name.to_owned(),
    };
    Ok(Storage {
        barrier: Arc::new(barrier),
        unseal_key: made.unseal_key,
        cluster: ClusterInfo {
            name,
            id: made.cluster.id,
        },
    })
}

fn start_plugin_host(start: &Start) -> Result<PluginHost> {
    let launcher = Launcher::of_this_executable().context("prepare to start plugins")?;
    #[cfg(feature = "fault-injection")]
    if std::env::var("LINCHPIN_FAULT")
        .is_ok_and(|faults| faults.split(',').any(|f| f == "forks-on-the-blocking-pool"))
    {
        let settings = start.plugins.clone();
        return PluginHost::start_forking_on_the_blocking_pool(settings, launcher)
            .context("start the plugin host");
    }
    PluginHost::start(start.plugins.clone(), launcher).context("start the plugin host")
}

/// Mounts `secret/` as clients of a dev server expect it.
async fn mount_secret(core: &Arc<Core>, ctx: &Context) -> Result<()> {
    let mount = NewMount {
        plugin_type: Some(PluginType::Secret),
        path: "secret/".to_owned(),
        mount_type: "kv".to_owned(),
        description: "key/value secret storage".to_owned(),
        options: Some([("version".to_owned(), "1".to_owned())].into()),
        ..NewMount::default()
    };
    core.enable(ctx, mount).await.context("mount secret/")?;
    Ok(())
}

/// Writes the token where clients look for it, if that is wanted and possible.
fn store_token(start: &Start) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| start.store_token && !home.is_empty())?;
    match token_file::write(Path::new(&home), start.root_token.expose()) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!(%error, "the root token cannot be written to the home directory");
            None
        }
    }
}
