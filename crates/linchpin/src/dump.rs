//! Shows a test what is stored: on SIGUSR1 every key is written to a file with the bytes under it, as the store has them.
//!
//! Only builds with the feature `fault-injection` have it, and only servers that the environment names a file to.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use linchpin_storage::Snapshot;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Names the file.
const VARIABLE: &str = "LINCHPIN_STORE_DUMP";

/// Writes `store` down at each SIGUSR1 from now until `stop`, if the environment names a file.
///
/// # Errors
/// The signal cannot be caught.
pub(crate) fn start(
    store: Arc<impl Snapshot>,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Result<()> {
    if let Some(file) = std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
        let asked = signal(SignalKind::user_defined1()).context("catch SIGUSR1")?;
        tasks.spawn(serve(store, PathBuf::from(file), asked, stop));
    }
    Ok(())
}

async fn serve(
    store: Arc<impl Snapshot>,
    file: PathBuf,
    mut asked: Signal,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            _ = asked.recv() => {}
            () = stop.cancelled() => return,
        }
        let written = match lines(&*store).await {
            Ok(text) => write(&file, &text).map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            tracing::error!(%error, file = %file.display(), "the store cannot be written down");
        }
    }
}

/// One line per key: the key and its bytes, both in hex.
async fn lines(store: &impl Snapshot) -> linchpin_storage::Result<String> {
    let mut text = String::new();
    for (key, value) in store.dump().await? {
        push_hex(&mut text, key.as_str().as_bytes());
        text.push(' ');
        push_hex(&mut text, &value);
        text.push('\n');
    }
    Ok(text)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
}

/// Who waits for the file finds it whole or not at all.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, file)
}
