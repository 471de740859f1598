//! The one subscriber of the process.

use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::queue::{Bounds, Queue};
use crate::{Format, Level};

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// How much of our own crates. Libraries are never louder than `warn`, except at `trace`.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
    /// Whether levels are coloured; [`Format::Standard`] only. See [`wants_colour`].
    pub colour: bool,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A subscriber was installed before: [`init`] is the binary's to call, once.
    #[error("logging is already set up")]
    AlreadySet,
    /// The system has no thread for the log.
    #[error("start the thread that writes the log")]
    Thread(#[source] io::Error),
}

/// Where [`init`] has the lines put.
static LOG: OnceLock<Queue> = OnceLock::new();

/// Installs the subscriber for the whole process, writing to standard error, and has panics logged.
///
/// Nobody who logs waits for whoever reads standard error: lines go through a bounded queue to a thread that writes
/// them, and those that do not fit are lost and counted. Call [`flush`] before the process ends.
///
/// # Errors
/// [`InitError`].
pub fn init(options: Options) -> Result<(), InitError> {
    let queue = Queue::start(Bounds::default(), io::stderr(), notices(options))
        .map_err(InitError::Thread)?;
    tracing::subscriber::set_global_default(subscriber(options, queue.clone()))
        .map_err(|_| InitError::AlreadySet)?;
    let _ = LOG.set(queue);
    // The standard hook writes to standard error where the panic is.
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Waits until what was logged is written, at most for `limit`: a reader that has stalled does not keep the process.
/// Whether everything is written; also when nothing was set up.
pub fn flush(limit: Duration) -> bool {
    LOG.get().is_none_or(|queue| queue.flush(limit))
}

fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let (name, place) = (thread.name().unwrap_or("<unnamed>"), panic.location());
    let place = place.map_or_else(String::new, |place| format!(" at {place}"));
    let reason = panic.payload_as_str().unwrap_or("without a text");
    let backtrace = std::backtrace::Backtrace::capture();
    match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => {
            tracing::error!("thread '{name}' panicked{place}: {reason}\n{backtrace}");
        }
        _ => tracing::error!("thread '{name}' panicked{place}: {reason}"),
    }
}

/// Makes the line that says how many were lost, in the form of all others. It does not go through the queue, which may
/// be full, and is an error: no level leaves it out.
fn notices(options: Options) -> impl Fn(u64) -> Vec<u8> + Send + 'static {
    let line = Notice::default();
    let writer = line.clone();
    let direct = Dispatch::new(subscriber(options, move || writer.clone()));
    move |lost| {
        tracing::dispatcher::with_default(&direct, || {
            tracing::error!(lost, "lines of the log are lost: it was read too slowly");
        });
        std::mem::take(&mut *line.0.lock())
    }
}

#[derive(Clone, Default)]
struct Notice(Arc<Mutex<Vec<u8>>>);

impl io::Write for Notice {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether to colour: a terminal, unless `NO_COLOR` is set to anything but nothing.
#[must_use]
pub fn wants_colour(no_color: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// The subscriber that [`init`] installs, writing elsewhere.
pub fn subscriber<W>(options: Options, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = options.level.filter();
    let libraries = match options.level {
        Level::Trace => LevelFilter::TRACE,
        level => level.filter().min(LevelFilter::WARN),
    };
    // Targets are module paths, and all of our crates begin with the product's name.
    let filter = Targets::new()
        .with_default(libraries)
        .with_target("linchpin", ours);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = match options.format {
        Format::Standard => layer.with_ansi(options.colour).boxed(),
        Format::Json => layer.json().flatten_event(true).with_ansi(false).boxed(),
    };
    Registry::default().with(layer.with_filter(filter))
}
