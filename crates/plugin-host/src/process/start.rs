//! The start of a process: fork, launcher, handshake line, connection.
//!
//! A start ends with a [`Process`] that can be used, or with an error that says what the file is,
//! what happened to it, and what to do about that.

use super::output::{self, LastLines, Source};
use super::{NAMING, PrivateDirectory, Process};
use crate::artefact::Artefact;
use crate::deadline::{START, within};
use crate::diagnosis::Seen;
use crate::environment::{Layers, layered};
use crate::host::Host;
use crate::journal::Writer;
use crate::launch::Containment;
use crate::spawner::{Child, SpawnRequest, Spawned, orphans};
use crate::{Error, deadline};
use linchpin_crypto::tls::OneTimeIdentity;
use linchpin_goplugin::host::{Connection, Open, Stream};
use linchpin_goplugin::log_line::{Classifier, Lines};
use linchpin_goplugin::{Handshake, HandshakeError, names};
use linchpin_model::{Execution, PluginEntry};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

/// The longest handshake line, in bytes; a certificate is below 2 KiB.
const LONGEST_LINE: usize = 64 * 1024;
/// The longest report of the launcher, in bytes.
const LONGEST_REPORT: u64 = 4 * 1024;

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
            file: artefact.path().to_owned(),
            reason: e.to_string(),
            advice: None,
            stderr: Vec::new(),
        })?;
        let request = request(host, entry, &artefact, &private, &identity);
        let spawned = host.spawner.spawn(request).await?;
        let gone = CancellationToken::new();
        let finished = CancellationToken::new();
        tidy_up_afterwards(host, &spawned.child, private, &gone, &finished);

        let mut starting = Starting::new(host, entry, Arc::clone(&artefact), spawned)?;
        let steps = async {
            let contained = starting.become_plugin(host).await?;
            let said = starting.handshake(host, &contained).await?;
            let open = Open {
                handshake: &said,
                identity: &identity,
                socket_dir: directory,
                exited: gone,
                output: Some(sink(starting.source.clone())),
            };
            match Connection::open(open).await {
                Ok(connection) => Ok((contained, connection)),
                Err(error) => Err(starting
                    .not_connected(&linchpin_model::chain(&error), &contained)
                    .await),
            }
        };
        let outcome = match tokio::time::timeout(limit, steps).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::StartTimeout {
                file: artefact.path().to_owned(),
                cpu: starting.child.cpu(),
                limit,
                stderr: starting.last.get(),
            }),
        };
        match outcome {
            Ok((containment, connection)) => {
                host.totals.count(entry, |counts| counts.starts += 1);
                Ok(Self {
                    child: starting.child,
                    artefact,
                    connection,
                    last: starting.last,
                    finished,
                    overdue: AtomicBool::new(false),
                    started,
                    handshake: began.elapsed(),
                    containment,
                })
            }
            Err(error) => {
                drop(starting);
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
}

fn request(
    host: &Host,
    entry: &PluginEntry,
    artefact: &Arc<Artefact>,
    private: &PrivateDirectory,
    identity: &OneTimeIdentity,
) -> SpawnRequest {
    let settings = &host.settings;
    let block = settings
        .plugins
        .get(&(entry.plugin_type, entry.name.clone()));
    let variables = layered(
        &host.inherited,
        &Layers {
            registered: &entry.env,
            server_version: &settings.server_version,
            metadata_mode: false,
            cookie: names::BACKEND_COOKIE,
            protocol_versions: &names::BACKEND_VERSION.to_string(),
            client_certificate: Some(identity.certificate_pem()),
            private_directory: private.path(),
            legacy_order: settings.legacy_env_layering,
        },
    );
    SpawnRequest {
        args: entry.args.clone(),
        variables,
        private: private.path().to_owned(),
        writable: block.map(|b| b.writable.clone()).unwrap_or_default(),
        containment: containment(host, entry),
        artefact: Arc::clone(artefact),
    }
}

fn containment(host: &Host, entry: &PluginEntry) -> Containment {
    let block = host
        .settings
        .plugins
        .get(&(entry.plugin_type, entry.name.clone()));
    block
        .and_then(|b| b.containment)
        .unwrap_or(host.settings.containment)
}

/// A process that was forked and does not serve yet.
struct Starting {
    child: Child,
    artefact: Arc<Artefact>,
    stdout: Option<pipe::Receiver>,
    report: Option<pipe::Receiver>,
    source: Source,
    last: LastLines,
}

impl Starting {
    /// From now on its stderr is read.
    fn new(
        host: &Arc<Host>,
        entry: &PluginEntry,
        artefact: Arc<Artefact>,
        spawned: Spawned,
    ) -> Result<Self, Error> {
        let name = artefact.file().file_name().unwrap_or_default();
        let source = Source {
            logger: name.to_string_lossy().into(),
            pid: spawned.child.pid(),
            writer: Arc::new(Writer {
                plugin: (entry.plugin_type, entry.name.clone()),
                version: entry.version_text().to_owned(),
            }),
            journal: Arc::clone(&host.journal),
        };
        let last = LastLines::without(&entry.env);
        let stderr = output::receiver(spawned.stderr)?;
        output::drain(&host.tracker, stderr, source.clone(), Some(last.clone()));
        Ok(Self {
            stdout: Some(output::receiver(spawned.stdout)?),
            report: Some(output::receiver(spawned.report)?),
            child: spawned.child,
            artefact,
            source,
            last,
        })
    }

    /// The launcher's report, to its end: what it applied, or why it could not become the plugin.
    async fn become_plugin(&mut self, host: &Host) -> Result<String, Error> {
        let mut text = String::new();
        if let Some(report) = self.report.take() {
            let _ = report.take(LONGEST_REPORT).read_to_string(&mut text).await;
        }
        let said = |word| text.lines().find_map(|line| line.strip_prefix(word));
        let Some(reason) = said("failed ") else {
            return Ok(said("applied ").unwrap_or_default().to_owned());
        };
        let artefact = Arc::clone(&self.artefact);
        // The file was looked at before. What it needs may have gone since.
        if let Some(better) = host.blocking(move || artefact.look_again()).await? {
            return Err(better);
        }
        let memory = match self.artefact.execution() {
            Execution::Sealed if reason.starts_with("permission denied") => {
                "; where the system does not execute what is in memory, plugin_execution=descriptor \
                 helps"
            }
            _ => "",
        };
        Err(Error::NotExecutable {
            file: self.artefact.path().to_owned(),
            reason: format!("{reason}{memory}"),
        })
    }

    /// The first line on stdout. What follows it is drained.
    async fn handshake(&mut self, host: &Host, contained: &str) -> Result<Handshake, Error> {
        let Some(mut stdout) = self.stdout.take() else {
            return Err(Error::Stopping);
        };
        let Some(line) = read_line(&mut stdout).await else {
            let exit = deadline::soon(NAMING, self.child.exited()).await;
            let reason = match exit {
                Some(exit) => format!("{exit} before its handshake"),
                None => "it closed its stdout before its handshake".to_owned(),
            };
            return Err(self.failed(reason, contained).await);
        };
        output::drain(&host.tracker, stdout, self.source.clone(), None);
        match Handshake::parse(&line, &[names::BACKEND_VERSION], true) {
            Ok(said) => Ok(said),
            Err(mut fault) => {
                if let HandshakeError::Unrecognized { line } = &mut fault {
                    *line = self.last.hide(line);
                }
                // A program that is no plugin has usually done its work by now.
                Err(Error::Handshake {
                    file: self.artefact.path().to_owned(),
                    fault,
                    exit: deadline::soon(NAMING, self.child.exited()).await,
                    stderr: self.last.of_the_end(NAMING).await,
                })
            }
        }
    }

    async fn not_connected(&self, why: &str, contained: &str) -> Error {
        let reason = match deadline::soon(NAMING, self.child.exited()).await {
            Some(exit) => format!("{exit} right after its handshake"),
            None => format!("its socket does not answer as it should: {why}"),
        };
        self.failed(reason, contained).await
    }

    /// The error for a process that has ended, or does not do what it should.
    async fn failed(&self, reason: String, contained: &str) -> Error {
        let stderr = self.last.of_the_end(NAMING).await;
        let seen = Seen {
            exit: self.child.exit(),
            stderr: &stderr,
            execution: self.artefact.execution(),
            script: self.artefact.is_script(),
            confined: contained.contains("landlock=full") || contained.contains("landlock=partial"),
        };
        Error::Start {
            file: self.artefact.path().to_owned(),
            reason,
            advice: seen.advice(),
            stderr,
        }
    }
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
