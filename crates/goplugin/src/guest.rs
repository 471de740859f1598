//! The plugin's side of the wire: what `linchpin-plugin-sdk` is built on (plugin-protocol §6).
//!
//! A plugin is an [`linchpin_engine::Backend`] and a [`Factory`] that makes one for each mount. [`run`] does the rest: cookie, version
//! negotiation, TLS, handshake line, services, broker, calls back to the host, and the end of the process.

mod backend;
mod broker;
mod callback;
mod control;
mod host_calls;
mod instances;
mod launch;
pub mod log;
mod services;
mod storage;
mod system;
mod work;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use linchpin_crypto::tls::{self, OneTimeIdentity};
use linchpin_engine::{Backend, BoxFuture, Error, StorageView, SystemView};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use host_calls::{Alias, Entity, Group, HostCalls, HostError, IdentityToken, Wrapped};
pub use launch::{Launch, Refusal};
pub use linchpin_crypto::random;

use crate::handshake::{Address, Handshake};
use crate::listen::{Socket, Tonic};
use crate::tasks::Tasks;

/// How long the reply to Shutdown has to reach the host before the process ends.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What Setup gives to a factory.
pub struct Setup {
    /// Mount options, and `plugin_name`, `plugin_type`, `plugin_version`. Empty when a host probes the plugin.
    pub config: BTreeMap<String, String>,
    /// The UUID that stays the same for the mount's life. Empty when a host probes the plugin.
    pub backend_uuid: String,
    /// The mount's storage. Writes are refused until Initialize; every call fails when a host probes the plugin.
    pub storage: Arc<dyn StorageView>,
    /// The node as the mount sees it.
    pub system: Arc<dyn SystemView>,
    /// What else the host can be asked, call by call. Every call fails when a host probes the plugin.
    pub host: Arc<dyn HostCalls>,
}

/// Makes the backend of one mount. Called for a probe, too: it must succeed without configuration and without working storage.
pub trait Factory: Send + Sync + 'static {
    /// A new backend.
    ///
    /// # Errors
    /// Its text is the answer to Setup; the mount fails with it.
    fn create(&self, setup: Setup) -> BoxFuture<'static, Result<Arc<dyn Backend>, Error>>;
}

/// What a plugin says about itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its version, by convention with a leading `v`; empty = it has none.
    pub version: String,
    /// Whether one process serves many mounts.
    pub multiplexed: bool,
    /// Whether to go on after Shutdown. Only tests of hosts want that.
    pub ignore_shutdown: bool,
    /// Ends the broker stream from this side when it is cancelled (plugin-protocol §1.12). Only tests of hosts want that.
    pub end_of_broker: CancellationToken,
}

/// Why a plugin could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// TLS could not be set up with the host's certificate.
    #[error("set up TLS")]
    Tls(#[from] linchpin_crypto::Error),
    /// The socket could not be made, or the handshake line not be printed.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// Serves until the host asks for the end or SIGTERM arrives. SIGINT is ignored: a terminal sends it to the whole process group, and
/// the host ends its plugins itself. When it returns, the process should exit.
///
/// # Errors
/// [`ServeError`] before the handshake line was printed.
pub async fn run(
    launch: Launch,
    options: Options,
    factory: Arc<dyn Factory>,
) -> Result<(), ServeError> {
    let signals = signal(SignalKind::interrupt()).and_then(|interrupt| {
        let terminate = signal(SignalKind::terminate())?;
        Ok((interrupt, terminate))
    });
    let (_ignored, mut terminate) = signals.map_err(|source| ServeError::Io {
        doing: "take over signals",
        source,
    })?;
    let running = start(launch, options, factory)?;
    // Ready to accept, and only now the line; nothing else is ever printed to stdout.
    print(running.handshake()).map_err(|source| ServeError::Io {
        doing: "print the handshake line",
        source,
    })?;
    tokio::select! {
        () = running.ended() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A plugin that serves. Its socket and its tasks go away with it.
pub struct Running {
    handshake: Handshake,
    socket: PathBuf,
    shut_down: CancellationToken,
    stop: CancellationToken,
}

/// Makes the socket and serves it, without printing anything: a host in the same process can take the handshake from the value.
///
/// # Errors
/// [`ServeError`] when nothing is served.
pub fn start(
    launch: Launch,
    options: Options,
    factory: Arc<dyn Factory>,
) -> Result<Running, ServeError> {
    let own = OneTimeIdentity::generate(SystemTime::now())?;
    let acceptor = TlsAcceptor::from(tls::server_config(&own, launch.host_certificate.clone())?);
    let client_tls = tls::client_config(&own, launch.host_certificate.clone())?;

    let bound = Socket::bind(launch.socket_path()).and_then(|socket| {
        launch.give_to_group(socket.path())?;
        Ok(socket)
    });
    let socket = bound.map_err(|source| ServeError::Io {
        doing: "listen on a socket",
        source,
    })?;
    let path = socket.path().to_owned();
    let stop = CancellationToken::new();
    let shut_down = CancellationToken::new();
    let tasks = Tasks::new(stop.clone());
    let services = services::Services::new(services::Parts {
        metadata_mode: launch.metadata_mode,
        options,
        factory,
        client_tls,
        tasks: tasks.clone(),
        shut_down: shut_down.clone(),
    });
    socket.serve(Some(acceptor), &tasks, move || Tonic(services.clone()));
    Ok(Running {
        handshake: Handshake {
            app_version: launch.app_version,
            address: Address::Unix(path.clone()),
            certificate: Some(own.certificate().to_vec()),
            broker_multiplexing: launch.asked_for_broker_multiplexing.then_some(false),
        },
        socket: path,
        shut_down,
        stop,
    })
}

impl Running {
    /// What the host is to be told.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// Waits until the host has asked for the end and its answer had time to leave.
    pub async fn ended(&self) {
        self.shut_down.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Open broker and stdio streams would keep a graceful end waiting for ever.
        self.stop.cancel();
        // Usually gone already; the process must not leave it behind.
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn print(handshake: &Handshake) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{handshake}\n").as_bytes())?;
    stdout.flush()
}
