//! One plugin process, from its start to the moment when nothing of it is left.
//!
//! Whatever goes wrong, and whoever stops waiting, the end is the same: the process is killed and
//! reaped, what it left behind is ended, and its private directory is removed. One task per
//! process does that, started right after the fork.

mod output;
mod private;
mod start;

pub(crate) use private::sweep;

use crate::Error;
use crate::artefact::Artefact;
use crate::deadline::within;
use crate::spawner::{Child, Exit};
use linchpin_engine::ProcessStatus;
use linchpin_goplugin::host::Connection;
use linchpin_model::{PluginEntry, chain};
use output::LastLines;
use private::PrivateDirectory;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// How long an error waits for the exit of the process, only to name it (plugin-protocol §5.8).
const NAMING: Duration = Duration::from_millis(200);

/// A process that has shaken hands and is connected.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    artefact: Arc<Artefact>,
    connection: Connection,
    last: LastLines,
    /// Cancelled when nothing of the process is left.
    finished: CancellationToken,
    /// A call ran past its deadline since the last look.
    overdue: AtomicBool,
    started: SystemTime,
    handshake: Duration,
    /// What the launcher has applied.
    containment: String,
}

/// Whether processes could have their private directories below `parent`.
pub(crate) fn try_private_directory(parent: &std::path::Path) -> Result<(), Error> {
    PrivateDirectory::create(parent).map(drop)
}

impl Process {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What the API tells of it.
    pub(crate) fn status(&self, multiplexed: bool) -> ProcessStatus {
        ProcessStatus {
            pid: self.pid(),
            started: self.started,
            handshake: self.handshake,
            multiplexed,
            verified: self.artefact.verified(),
            containment: self.containment.clone(),
            memory: self.child.memory(),
            cpu: self.child.cpu(),
        }
    }

    /// The line of the server's log about its start.
    pub(crate) fn log_start(&self, entry: &PluginEntry, generation: u64, restarts: u64) {
        let what = if restarts == 0 {
            "plugin process started"
        } else {
            "plugin process started again"
        };
        tracing::info!(
            r#type = entry.plugin_type.as_str(), plugin = entry.name, version = entry.version_text(),
            sha256 = %self.artefact.sha256(), pid = self.pid(), generation, restarts,
            verified = self.artefact.verified(), contained = self.containment,
            handshake_ms = self.handshake.as_millis(), "{what}"
        );
    }

    /// Its connection.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether it runs at this very moment.
    pub(crate) fn is_alive(&self) -> bool {
        self.child.is_alive()
    }

    /// Waits for its end.
    pub(crate) async fn exited(&self) -> Exit {
        self.child.exited().await
    }

    /// Ends it without asking.
    pub(crate) fn kill(&self) {
        self.child.kill();
    }

    /// The last lines on its stderr, oldest first.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.last.get()
    }

    /// CPU time that it has used, in ticks.
    pub(crate) fn cpu_ticks(&self) -> Option<u64> {
        self.child.cpu_ticks()
    }

    /// Notes that a call to it ran past its deadline.
    pub(crate) fn note_overdue(&self) {
        self.overdue.store(true, Ordering::Relaxed);
    }

    /// Whether that was noted since the last time this was asked.
    pub(crate) fn take_overdue(&self) -> bool {
        self.overdue.swap(false, Ordering::Relaxed)
    }

    /// How it ended, if it ends within the time that an error may wait for it.
    pub(crate) async fn exit_soon(&self) -> Option<Exit> {
        tokio::time::timeout(NAMING, self.exited()).await.ok()
    }

    /// Shuts it down (plugin-protocol §1.14): asks, waits `patience` from the asking on, kills.
    /// Returns when nothing of it is left.
    pub(crate) async fn stop(&self, patience: Duration) {
        let polite = async {
            self.connection.shutdown(patience).await;
            self.exited().await
        };
        if tokio::time::timeout(patience, polite).await.is_err() {
            tracing::warn!(pid = self.pid(), "plugin process does not stop: killing it");
            self.kill();
        }
        self.finished.cancelled().await;
    }

    /// Ends it without asking and waits until nothing of it is left.
    pub(crate) async fn discard(self) {
        self.kill();
        self.finished.cancelled().await;
    }

    /// One step of bringing an instance up, within its limit.
    ///
    /// # Errors
    /// [`Error::Deadline`], the plugin's own words, or how the process ended in that step.
    pub(crate) async fn step<T>(
        &self,
        step: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, linchpin_goplugin::host::Error>>,
    ) -> Result<T, Error> {
        match within(limit, step, call).await? {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(step, error).await),
        }
    }

    async fn explain(&self, step: &'static str, error: linchpin_goplugin::host::Error) -> Error {
        use linchpin_goplugin::host::Error as Wire;
        match error {
            Wire::Setup(text) => Error::Refused(text),
            Wire::Plugin(own) => Error::Refused(own.to_string()),
            lost if lost.is_connection_loss() => {
                let (reason, stderr) = match self.exit_soon().await {
                    Some(exit) => {
                        let stderr = self.last.of_the_end(NAMING).await;
                        (format!("the plugin process ended: {exit}"), stderr)
                    }
                    None => (chain(&lost), self.last_lines()),
                };
                Error::Step {
                    step,
                    reason,
                    stderr,
                }
            }
            // The words of the framework in the plugin.
            status @ Wire::Status { .. } => Error::Refused(format!("{step} failed: {status}")),
            other => Error::Step {
                step,
                reason: chain(&other),
                stderr: Vec::new(),
            },
        }
    }
}
