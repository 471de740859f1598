//! The one subscriber of the process.

use std::ffi::OsStr;
use std::io;

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

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

/// A subscriber was installed before: [`init`] is the binary's to call, once.
#[derive(Debug, thiserror::Error)]
#[error("logging is already set up")]
pub struct AlreadySet(#[source] tracing::subscriber::SetGlobalDefaultError);

/// Installs the subscriber for the whole process, writing to standard error.
///
/// # Errors
/// [`AlreadySet`].
pub fn init(options: Options) -> Result<(), AlreadySet> {
    tracing::subscriber::set_global_default(subscriber(options, io::stderr)).map_err(AlreadySet)
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
