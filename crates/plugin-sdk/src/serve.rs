//! The life of a plugin process: from the environment that the server made to the exit status.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use linchpin_engine::{Backend, BoxFuture, Error};
use linchpin_goplugin::guest::{self, Factory, Launch, Setup};
use tokio_util::sync::CancellationToken;

/// What a plugin says about itself.
#[derive(Debug, Clone)]
pub struct Options(guest::Options);

impl Options {
    /// A plugin of this version, with a leading `v`, that serves many mounts in one process. [`version!`](crate::version) is the version
    /// of the crate that it is written in; an empty one says that the plugin has none.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self(guest::Options {
            version: version.into(),
            multiplexed: true,
            ignore_shutdown: false,
            end_of_broker: CancellationToken::new(),
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

    /// Ends the broker stream when `end` is cancelled; the process then takes no further mount. Only tests of servers want that.
    #[must_use]
    pub fn ending_broker(mut self, end: CancellationToken) -> Self {
        self.0.end_of_broker = end;
        self
    }
}

/// Serves until the server asks for the end. `factory` makes the engine of one mount.
///
/// The status is 0 after an orderly end and 1 when a server has not started the process, or has started it in a way that cannot be
/// served; stderr says why. Panics become log records, and a panic inside a request an error of that request alone.
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
    guest::log::record_panics();
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
