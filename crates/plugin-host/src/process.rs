//! One plugin process, from its start to the moment when nothing of it is left.
//!
//! Whatever goes wrong, and whoever stops waiting, the end is the same: the process is killed and
//! reaped, what it left behind is ended, and its private directory is removed. One task per
//! process does that, started right after the fork.

mod output;
mod private;

use crate::Error;
use crate::artefact::Artefact;
use crate::deadline::{START, within};
use crate::environment::{Layers, layered};
use crate::host::Host;
use crate::spawner::{Child, Exit, SpawnRequest, orphans};
use linchpin_crypto::tls::OneTimeIdentity;
use linchpin_engine::ProcessStatus;
use linchpin_goplugin::host::{Connection, Open, Stream};
use linchpin_goplugin::log_line::{Classifier, Lines};
use linchpin_goplugin::{Handshake, names};
use linchpin_model::PluginEntry;
use output::{LastLines, Source};
use parking_lot::Mutex;
use private::PrivateDirectory;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

/// The longest handshake line, in bytes; a certificate is below 2 KiB.
const LONGEST_LINE: usize = 64 * 1024;
/// The longest report of the launcher, in bytes.
const LONGEST_REPORT: u64 = 4 * 1024;
/// How long an error waits for the exit of the process, only to name it (plugin-protocol §5.8).
const NAMING: Duration = Duration::from_millis(200);

/// A process that has shaken hands and is connected.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
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
    /// Starts a process of the entry from its artefact and connects to it.
    ///
    /// # Cancel safety
    /// When dropped, the process is killed and everything of it removed, in a task of the host.
    ///
    /// # Errors
    /// Why it did not start; then nothing of it is left.
    pub(crate) async fn start(
        host: &Arc<Host>,
        entry: &PluginEntry,
        artefact: Arc<Artefact>,
    ) -> Result<Self, Error> {
        let limit = host.settings.plugin_start_timeout;
        let began = tokio::time::Instant::now();
        let started = SystemTime::now();
        let private = PrivateDirectory::create(&host.settings.socket_directory)?;
        let directory = private.path().to_owned();
        let identity = OneTimeIdentity::generate(SystemTime::now()).map_err(|e| Error::Start {
            reason: e.to_string(),
            stderr: Vec::new(),
        })?;
        let block = host
            .settings
            .plugins
            .get(&(entry.plugin_type, entry.name.clone()));
        let offered = [names::BACKEND_VERSION];
        let request = SpawnRequest {
            args: entry.args.clone(),
            variables: layered(
                &host.inherited,
                &Layers {
                    registered: &entry.env,
                    server_version: &host.settings.server_version,
                    metadata_mode: false,
                    cookie: names::BACKEND_COOKIE,
                    protocol_versions: &names::BACKEND_VERSION.to_string(),
                    client_certificate: Some(identity.certificate_pem()),
                    private_directory: &directory,
                    legacy_order: host.settings.legacy_env_layering,
                },
            ),
            private: directory.clone(),
            writable: block.map(|b| b.writable.clone()).unwrap_or_default(),
            containment: block
                .and_then(|b| b.containment)
                .unwrap_or(host.settings.containment),
            artefact: Arc::clone(&artefact),
        };
        let spawned = host.spawner.spawn(request).await?;
        let gone = CancellationToken::new();
        let finished = CancellationToken::new();
        tidy_up_afterwards(host, &spawned.child, private, &gone, &finished);

        let source = Source {
            logger: artefact
                .file()
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into(),
            pid: spawned.child.pid(),
        };
        let last = LastLines::default();
        let stderr = output::receiver(spawned.stderr)?;
        output::drain(&host.tracker, stderr, source.clone(), Some(last.clone()));
        let mut stdout = output::receiver(spawned.stdout)?;
        let report = output::receiver(spawned.report)?;
        let child = spawned.child;
        let steps = async {
            let contained = read_report(report, &artefact).await?;
            let line = read_line(&mut stdout).await;
            let Some(line) = line else {
                return Err(ended_early(&child, &last).await);
            };
            output::drain(&host.tracker, stdout, source.clone(), None);
            let refused = |reason: String| Error::Start {
                reason,
                stderr: last.get(),
            };
            let said = Handshake::parse(&line, &offered, true);
            let said = said.map_err(|fault| Error::Handshake {
                fault,
                stderr: last.get(),
            })?;
            let open = Open {
                handshake: &said,
                identity: &identity,
                socket_dir: directory,
                exited: gone,
                output: Some(sink(source)),
            };
            let connection = Connection::open(open)
                .await
                .map_err(|e| refused(chain(&e)))?;
            Ok((contained, connection))
        };
        let outcome = match tokio::time::timeout(limit, steps).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::StartTimeout {
                limit,
                stderr: last.get(),
            }),
        };
        match outcome {
            Ok((contained, connection)) => {
                let handshake = began.elapsed();
                tracing::info!(
                    r#type = entry.plugin_type.as_str(), plugin = entry.name, version = entry.version_text(),
                    sha256 = %artefact.sha256(), pid = child.pid(), contained,
                    handshake_ms = handshake.as_millis(), "plugin process started"
                );
                Ok(Self {
                    child,
                    connection,
                    last,
                    finished,
                    overdue: AtomicBool::new(false),
                    started,
                    handshake,
                    containment: contained,
                })
            }
            Err(error) => {
                drop(child);
                finished.cancelled().await;
                Err(error)
            }
        }
    }

    /// Starts one more process from an artefact that others were started from before.
    ///
    /// # Errors
    /// As [`Process::start`], and when the bytes are no longer what they were.
    pub(crate) async fn start_again(
        host: &Arc<Host>,
        entry: &PluginEntry,
        artefact: &Arc<Artefact>,
    ) -> Result<Self, Error> {
        let start = async {
            let again = Arc::clone(artefact);
            host.blocking(move || again.check_again()).await??;
            Self::start(host, entry, Arc::clone(artefact)).await
        };
        within(host.start_limit(), START, start).await?
    }

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
            verified: "at execution",
            containment: self.containment.clone(),
            memory: None,
            cpu: None,
        }
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

/// An error with its causes, for texts that people read.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// The task that clears up when the process has ended, however it ended.
fn tidy_up_afterwards(
    host: &Arc<Host>,
    child: &Child,
    private: PrivateDirectory,
    gone: &CancellationToken,
    finished: &CancellationToken,
) {
    let mut exit = child.exit_watch();
    let (gone, finished) = (gone.clone(), finished.clone().drop_guard());
    host.tracker.spawn(async move {
        let _ = exit.wait_for(Option::is_some).await;
        gone.cancel();
        // Reading `/proc` and removing files may block.
        let _ = tokio::task::spawn_blocking(move || {
            orphans::end(private.path());
            drop(private);
        })
        .await;
        drop(finished);
    });
}

/// The launcher's report, to its end: what it applied, or why it could not become the plugin.
async fn read_report(report: pipe::Receiver, artefact: &Artefact) -> Result<String, Error> {
    let mut text = String::new();
    let _ = report.take(LONGEST_REPORT).read_to_string(&mut text).await;
    let mut applied = String::new();
    for line in text.lines() {
        if let Some(reason) = line.strip_prefix("failed ") {
            return Err(Error::NotExecutable {
                file: artefact.path().to_owned(),
                reason: reason.to_owned(),
            });
        }
        if let Some(what) = line.strip_prefix("applied ") {
            applied = what.to_owned();
        }
    }
    Ok(applied)
}

/// The first line of stdout, or what there is when it grows too long; `None` when stdout ends.
async fn read_line(stdout: &mut pipe::Receiver) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    // Byte by byte: what follows the line belongs to whoever drains the pipe.
    while line.len() < LONGEST_LINE {
        match stdout.read_u8().await {
            Ok(b'\n') => return Some(line),
            Ok(byte) => line.push(byte),
            Err(_) if line.is_empty() => return None,
            Err(_) => return Some(line),
        }
    }
    Some(line)
}

async fn ended_early(child: &Child, last: &LastLines) -> Error {
    let reason = match tokio::time::timeout(NAMING, child.exited()).await {
        Ok(exit) => format!("{exit} before its handshake"),
        Err(_) => "it closed its stdout before its handshake".to_owned(),
    };
    Error::Start {
        reason,
        stderr: last.of_the_end(NAMING).await,
    }
}

/// Logs what the plugin prints after its handshake, line by line.
fn sink(source: Source) -> linchpin_goplugin::host::OutputSink {
    let state = Mutex::new((Lines::default(), Lines::default(), Classifier::default()));
    Arc::new(move |stream, bytes| {
        let (stdout, stderr, classifier) = &mut *state.lock();
        let lines = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        lines.push(bytes, |line| {
            output::log(&source, &classifier.classify(&line))
        });
    })
}
