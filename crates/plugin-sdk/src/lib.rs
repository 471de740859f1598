//! Write a plugin for Linchpin, Vault or OpenBao in Rust.
//!
//! A plugin is an engine, the same [`engine::Backend`] that a built-in engine is and mostly written as a [`engine::path::Table`], and a
//! `main` of five lines:
//!
//! ```no_run
//! use linchpin_plugin_sdk::engine::path::{Engine, Table, TableBackend};
//! use linchpin_plugin_sdk::engine::SpecialPaths;
//! use linchpin_plugin_sdk::model::PluginType;
//! use linchpin_plugin_sdk::{Options, Setup, serve};
//!
//! struct Greeter;
//! impl Engine for Greeter {
//!     fn plugin_type(&self) -> PluginType {
//!         PluginType::Secret
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     serve(Options::new("v1.0.0"), |_setup: Setup| async {
//!         let table = Table { help: "Greets.", paths: Vec::new(), special: SpecialPaths::default() };
//!         Ok(TableBackend::new(Greeter, table))
//!     })
//! }
//! ```
//!
//! What an engine must know about where it runs (plugin-protocol §6): it is made without configuration and without working storage when a
//! server probes it; storage can be written from `initialize` on; requests run concurrently; nothing is ever printed to stdout.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use linchpin_goplugin::guest::{self, Factory, Launch};

pub use linchpin_engine as engine;
pub use linchpin_goplugin::guest::{Setup, log};
pub use linchpin_goplugin::log_line::Level;
pub use linchpin_model as model;

use engine::{Backend, BoxFuture, Error};

/// What a plugin says about itself.
#[derive(Debug, Clone)]
pub struct Options(guest::Options);

impl Options {
    /// A plugin of this version, with a leading `v`, that serves many mounts in one process.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self(guest::Options {
            version: version.into(),
            multiplexed: true,
            ignore_shutdown: false,
        })
    }

    /// Whether one process serves many mounts. If not, every mount has a process of its own.
    #[must_use]
    pub fn multiplexed(mut self, multiplexed: bool) -> Self {
        self.0.multiplexed = multiplexed;
        self
    }

    /// Goes on after the server has asked for the end. Only tests of servers want that.
    #[must_use]
    pub fn ignoring_shutdown(mut self, ignore: bool) -> Self {
        self.0.ignore_shutdown = ignore;
        self
    }
}

/// Serves until the server asks for the end. `factory` makes the engine of one mount.
///
/// The status is 0 after an orderly end and 1 when a server has not started the process, or has started it in a way that cannot be
/// served; stderr says why.
pub fn serve<F, Made, B>(options: Options, factory: F) -> ExitCode
where
    F: Fn(Setup) -> Made + Send + Sync + 'static,
    Made: Future<Output = Result<B, Error>> + Send + 'static,
    B: Backend,
{
    let launch = match Launch::read(|name| std::env::var(name).ok()) {
        Ok(launch) => launch,
        Err(refusal) => return refuse(&refusal),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    let served = runtime.block_on(guest::run(launch, options.0, Arc::new(Closure(factory))));
    // Whatever an engine still runs in the background must not hold the end up: the server waits two seconds.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

/// A closure as the factory that the wire wants.
struct Closure<F>(F);

impl<F, Made, B> Factory for Closure<F>
where
    F: Fn(Setup) -> Made + Send + Sync + 'static,
    Made: Future<Output = Result<B, Error>> + Send + 'static,
    B: Backend,
{
    fn create(&self, setup: Setup) -> BoxFuture<'static, Result<Arc<dyn Backend>, Error>> {
        let made = (self.0)(setup);
        Box::pin(async move { Ok(Arc::new(made.await?) as Arc<dyn Backend>) })
    }
}

/// Says on stderr, with the whole chain of causes, why nothing is served.
fn refuse(error: &dyn std::error::Error) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    eprintln!("{text}");
    ExitCode::FAILURE
}
