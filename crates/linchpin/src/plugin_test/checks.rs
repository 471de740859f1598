//! The checks, over the very way in which a server runs the plugin: the plugin host starts it, sets
//! instances up, asks, kills, and stops. Only the storage is the test's own, so that it sees what is
//! written and when.

use super::report::{Outcome, Report, SpecialPaths};
use anyhow::{Context as _, Result};
use linchpin_engine::{
    Backend, BackendFactory, Context, Error, Fleet, InstanceStatus, Joining, MountInfo,
    PluginSource, Prepare, Prepared,
};
use linchpin_model::{
    ErrorKind, JsonObject, Operation, PluginEntry, PluginType, Request, Response,
};
use linchpin_plugin_host::PluginHost;
use linchpin_plugin_host::examine::{ByHand, by_hand};
use linchpin_plugin_sdk::testing::{Memory, Node};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How many requests are sent at once.
const AT_ONCE: usize = 20;
/// How long a process that was asked to stop may take (plugin-protocol §6).
const STOP: Duration = Duration::from_secs(2);
/// How long a killed process may take to be there again.
const AGAIN: Duration = Duration::from_secs(10);
/// A path that no plugin has.
const NOWHERE: &str = "linchpin-plugin-test/no/such/path";

/// Runs everything on `file`, which is `entry`'s command in the host's directory.
pub(super) async fn run(
    host: &PluginHost,
    file: &Path,
    entry: PluginEntry,
    known_type: Option<PluginType>,
    report: &mut Report,
) -> Result<()> {
    started_by_hand(file, report).await;
    let ctx = Context::internal(CancellationToken::new());
    let (name, mut entry) = (entry.name.clone(), entry);
    let probed = match host.probe(&ctx, &entry, known_type).await {
        Ok(probed) => probed,
        Err(error) => {
            keep_log(host, &entry, &name, report);
            report.add(
                "start",
                "starts, shakes hands, and is set up without configuration and storage",
                Outcome::Failed,
                error.to_string(),
                "A server runs a plugin like this once when it is registered: it must come up with an empty configuration.",
            );
            return Ok(());
        }
    };
    report.ok(
        "start",
        "starts, shakes hands, and is set up without configuration and storage",
        "",
    );
    report.r#type = Some(probed.plugin_type.as_str());
    report.version = Some(probed.version.clone());
    report.protocol = Some(5);
    entry.plugin_type = probed.plugin_type;
    version(&probed.version, &mut entry, report);

    let bench = Bench {
        host,
        entry: Arc::new(entry),
        ctx,
    };
    let storage = Memory::default();
    let Some(first) = bench
        .mount("first/", &storage, Joining::Newest, report)
        .await
    else {
        keep_log(host, &bench.entry, &name, report);
        return Ok(());
    };
    bench.facts(report);
    if bench.initialise(&first, report).await {
        bench.answers(&first, report).await;
        bench.second_instance(&first, report).await;
        bench.successor(report).await;
        bench.crash(&first, report).await;
    }
    bench.stop(&first, report).await;
    keep_log(host, &bench.entry, &name, report);
    Ok(())
}

struct Bench<'h> {
    host: &'h PluginHost,
    entry: Arc<PluginEntry>,
    ctx: Context,
}

impl Bench<'_> {
    /// An instance, set up and not initialised.
    async fn prepare(
        &self,
        mount: &str,
        storage: &Memory,
        joining: Joining,
    ) -> Result<Prepared, Error> {
        let uuid = linchpin_crypto::random::uuid();
        let mount = MountInfo {
            path: mount.to_owned(),
            backend_uuid: uuid.clone(),
            uuid,
            accessor: format!("{}_test", self.entry.name),
            mount_type: self.entry.name.clone(),
            plugin_type: self.entry.plugin_type,
            options: BTreeMap::new(),
            local: false,
        };
        let prepare = Prepare {
            mount,
            source: PluginSource::External(Arc::clone(&self.entry)),
            joining,
            storage: storage.view(),
            system: Arc::new(Node::default()),
        };
        self.host.prepare(&self.ctx, prepare).await
    }

    async fn mount(
        &self,
        mount: &str,
        storage: &Memory,
        joining: Joining,
        report: &mut Report,
    ) -> Option<Arc<dyn Backend>> {
        const TITLE: &str = "is set up for a mount, with a type and special paths";
        match self.prepare(mount, storage, joining).await {
            Ok(prepared) => {
                report.ok("setup", TITLE, "");
                Some(prepared.backend)
            }
            Err(error) => {
                let mend = "Setup must not need anything that only a configured mount has.";
                report.add("setup", TITLE, Outcome::Failed, error.to_string(), mend);
                None
            }
        }
    }

    fn status(&self, mount: &str) -> Option<InstanceStatus> {
        let instances = self.host.instances();
        instances.into_iter().find(|i| i.mount == mount)
    }

    fn facts(&self, report: &mut Report) {
        let Some(process) = self.status("first/").and_then(|s| s.process) else {
            return;
        };
        report.multiplexing = Some(process.multiplexed);
        report.handshake_ms = u64::try_from(process.handshake.as_millis()).ok();
        report.memory_bytes = process.memory;
        report.containment = Some(process.containment);
    }

    async fn initialise(&self, backend: &Arc<dyn Backend>, report: &mut Report) -> bool {
        const TITLE: &str = "initialises itself on empty storage";
        let special = backend.special_paths();
        report.special_paths = Some(SpecialPaths {
            root: special.root.clone(),
            unauthenticated: special.unauthenticated.clone(),
            local_storage: special.local_storage.clone(),
            seal_wrap_storage: special.seal_wrap_storage.clone(),
        });
        match backend.initialize(&self.ctx).await {
            Ok(()) => {
                report.ok("initialize", TITLE, "");
                true
            }
            Err(error) => {
                let mend = "A new mount has nothing stored: Initialize must take that as it is.";
                report.add(
                    "initialize",
                    TITLE,
                    Outcome::Failed,
                    error.to_string(),
                    mend,
                );
                false
            }
        }
    }

    async fn ask(
        &self,
        backend: &Arc<dyn Backend>,
        operation: Operation,
        path: &str,
    ) -> Result<Option<Response>, Error> {
        let request = Request {
            id: linchpin_crypto::random::uuid().into(),
            operation: Some(operation),
            path: path.to_owned(),
            mount_point: "first/".into(),
            mount_type: self.entry.name.as_str().into(),
            ..Request::default()
        };
        let ctx = self.ctx.within(Duration::from_secs(30));
        backend.handle(&ctx, request).await
    }

    /// What every server asks of every plugin.
    async fn answers(&self, backend: &Arc<dyn Backend>, report: &mut Report) {
        const HELP: &str = "answers help for the whole backend, with an OpenAPI document";
        match self.ask(backend, Operation::Help, "").await {
            Ok(Some(Response { data: Some(data), .. })) => match paths_of(&data) {
                Some(count) => {
                    report.paths = Some(count);
                    report.ok("help", HELP, format!("{count} paths"));
                }
                None => report.add(
                    "help",
                    HELP,
                    Outcome::Warning,
                    "the answer has no openapi document".to_owned(),
                    "Without one, clients and the server's own API document do not know the plugin's paths.",
                ),
            },
            Ok(_) => report.add(
                "help",
                HELP,
                Outcome::Warning,
                "no answer".to_owned(),
                "Users who ask for help get a 404.",
            ),
            Err(error) => report.add("help", HELP, Outcome::Warning, error.to_string(), ""),
        }
        const UNKNOWN: &str = "answers an unknown path as unsupported";
        let mend = "A general error here is a 500 for a typing mistake, and clients repeat it: answer `unsupported path`.";
        self.refuses(
            backend,
            Operation::Read,
            NOWHERE,
            ("unknown-path", UNKNOWN),
            mend,
            report,
        )
        .await;
        const RESOLVE: &str = "answers an operation that it does not know as unsupported";
        let mend = "OpenBao asks resolve-path before every request: with a general error every request to the mount fails there.";
        self.refuses(
            backend,
            Operation::ResolvePath,
            NOWHERE,
            ("unknown-operation", RESOLVE),
            mend,
            report,
        )
        .await;
        const ROLLBACK: &str = "takes the periodic rollback, or says that it has none";
        let mend = "A server asks every minute and logs this error every minute.";
        match self.ask(backend, Operation::Rollback, "").await {
            Ok(_) => report.ok("rollback", ROLLBACK, ""),
            Err(error) if is_unsupported(&error) => report.ok("rollback", ROLLBACK, "it has none"),
            Err(error) => report.add(
                "rollback",
                ROLLBACK,
                Outcome::Warning,
                error.to_string(),
                mend,
            ),
        }
        const MANY: &str = "answers requests at the same time";
        let asked = (0..AT_ONCE).map(|_| self.ask(backend, Operation::Help, ""));
        let began = Instant::now();
        let answers = futures_util::future::join_all(asked).await;
        let broken = answers.iter().filter_map(|a| a.as_ref().err());
        match broken
            .into_iter()
            .find(|error| error.kind() == ErrorKind::Unavailable)
        {
            None => {
                let seen = format!("{AT_ONCE} in {} ms", began.elapsed().as_millis());
                report.ok("concurrency", MANY, seen);
            }
            Some(error) => report.add("concurrency", MANY, Outcome::Failed, error.to_string(), ""),
        }
    }

    async fn refuses(
        &self,
        backend: &Arc<dyn Backend>,
        operation: Operation,
        path: &str,
        (id, title): (&'static str, &'static str),
        mend: &'static str,
        report: &mut Report,
    ) {
        match self.ask(backend, operation, path).await {
            Ok(None) => report.ok(id, title, "nothing there"),
            Ok(Some(_)) => report.ok(id, title, "it has a catch-all path"),
            Err(error) if is_unsupported(&error) => report.ok(id, title, ""),
            Err(error) => report.add(id, title, Outcome::Failed, error.to_string(), mend),
        }
    }

    /// A second mount: in the same process when it multiplexes, apart from the first.
    async fn second_instance(&self, first: &Arc<dyn Backend>, report: &mut Report) {
        const TITLE: &str = "serves a second mount beside the first";
        let storage = Memory::default();
        let second = match self.prepare("second/", &storage, Joining::Newest).await {
            Ok(prepared) => prepared.backend,
            Err(error) => {
                let mend = "Two mounts of one plugin are common: an instance may not hold what the other needs.";
                report.add(
                    "second-mount",
                    TITLE,
                    Outcome::Failed,
                    error.to_string(),
                    mend,
                );
                return;
            }
        };
        let initialised = second.initialize(&self.ctx).await;
        let pids = ["first/", "second/"].map(|m| self.status(m).and_then(|s| s.pid()));
        let [a, b] = pids;
        let seen = if a == b {
            "in the same process"
        } else {
            "in a process of its own"
        };
        let stays = self.ask(first, Operation::Help, "").await;
        second.cleanup(&self.ctx).await;
        let after = self.ask(first, Operation::Help, "").await;
        let broken = initialised.err().into_iter();
        let broken = broken.chain([stays, after].into_iter().filter_map(Result::err));
        match broken.into_iter().find(|error| !is_unsupported(error)) {
            None => report.ok("second-mount", TITLE, seen),
            Some(error) => report.add(
                "second-mount",
                TITLE,
                Outcome::Failed,
                error.to_string(),
                "",
            ),
        }
    }

    /// A second generation while the first runs: what every reload does.
    async fn successor(&self, report: &mut Report) {
        const TITLE: &str = "runs beside its successor, as in a reload";
        let generation = self.status("first/").map(|status| status.generation);
        let joining = Joining::NewerThan {
            generation,
            call: "plugin test".into(),
        };
        let storage = Memory::default();
        let outcome = match self.prepare("successor/", &storage, joining).await {
            Ok(prepared) => {
                let outcome = prepared.backend.initialize(&self.ctx).await;
                prepared.backend.cleanup(&self.ctx).await;
                outcome
            }
            Err(error) => Err(error),
        };
        report.overlap = Some(outcome.is_ok());
        match outcome {
            Ok(()) => report.ok("overlap", TITLE, ""),
            Err(error) => report.add(
                "overlap",
                TITLE,
                Outcome::Warning,
                error.to_string(),
                "It seems to hold a port, a lock or a session. Register it with overlap=false: a reload then stops the old process first, and requests wait.",
            ),
        }
    }

    /// A kill from outside: the process is there again, and the instance in it.
    async fn crash(&self, backend: &Arc<dyn Backend>, report: &mut Report) {
        const TITLE: &str = "comes back after a crash";
        let pid = self.status("first/").and_then(|status| status.pid());
        let Some(pid) = pid
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw)
        else {
            report.add("crash", TITLE, Outcome::Skipped, String::new(), "");
            return;
        };
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let began = Instant::now();
        loop {
            let now = self.status("first/").and_then(|status| status.pid());
            let is_new =
                now.is_some_and(|now| i32::try_from(now).ok() != Some(pid.as_raw_nonzero().get()));
            let answer = self.ask(backend, Operation::Help, "").await;
            let is_up = !matches!(&answer, Err(error) if error.kind() == ErrorKind::Unavailable);
            if is_new && is_up {
                let seen = format!("after {} ms", began.elapsed().as_millis());
                return report.ok("crash", TITLE, seen);
            }
            if began.elapsed() > AGAIN {
                let seen = answer
                    .err()
                    .map_or(String::new(), |error| error.to_string());
                let mend = "What an instance needs must be in its storage: Setup and Initialize run again in a new process.";
                return report.add("crash", TITLE, Outcome::Failed, seen, mend);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The end: the last instance is cleaned up, so the process is asked to stop.
    async fn stop(&self, backend: &Arc<dyn Backend>, report: &mut Report) {
        const TITLE: &str = "ends within two seconds when it is asked to";
        let began = Instant::now();
        backend.cleanup(&self.ctx).await;
        let took = began.elapsed();
        if took < STOP {
            let seen = format!("{} ms", took.as_millis());
            report.ok("stop", TITLE, seen);
        } else {
            let mend = "It was killed. Cleanup must return soon, and Shutdown must end the process even while streams are open.";
            let seen = format!("it took {:.1} s", took.as_secs_f64());
            report.add("stop", TITLE, Outcome::Warning, seen, mend);
        }
    }
}

async fn started_by_hand(file: &Path, report: &mut Report) {
    const ID: &str = "by-hand";
    const TITLE: &str = "says that it is a plugin when a person starts it";
    match by_hand(file).await {
        ByHand::Ended { exit, stdout, .. } if !stdout.is_empty() => {
            let line: String = stdout.chars().take(200).collect();
            report.add(
                ID,
                TITLE,
                Outcome::Warning,
                format!("it printed to stdout: {line} ({exit})"),
                "Stdout is for the handshake alone: print notices on stderr.",
            );
        }
        ByHand::Ended { exit, stderr, .. } if stderr.is_empty() => report.add(
            ID,
            TITLE,
            Outcome::Warning,
            format!("it ended with {exit} and said nothing"),
            "Say on stderr that a server must start it, and exit with status 1.",
        ),
        ByHand::Ended { exit, .. } => report.ok(ID, TITLE, exit),
        ByHand::RanOn => report.add(
            ID,
            TITLE,
            Outcome::Warning,
            "it ran on and was killed".to_owned(),
            "Check the magic cookie in the environment before anything else.",
        ),
        // The start as a server does it says why, in more words.
        ByHand::NotStarted(_) => report.add(ID, TITLE, Outcome::Skipped, String::new(), ""),
    }
}

fn version(reported: &str, entry: &mut PluginEntry, report: &mut Report) {
    const ID: &str = "version";
    const TITLE: &str = "reports a semantic version";
    if reported.is_empty() {
        let mend =
            "With one, it is registered under it, and a wrong file under a version is refused.";
        let seen = "it reports none".to_owned();
        return report.add(ID, TITLE, Outcome::Warning, seen, mend);
    }
    match reported.parse() {
        Ok(version) => {
            entry.version = Some(version);
            report.ok(ID, TITLE, reported);
        }
        Err(_) => {
            let mend = "No server registers it: use a version such as v1.2.3.";
            report.add(ID, TITLE, Outcome::Failed, reported.to_owned(), mend);
        }
    }
}

fn is_unsupported(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnsupportedOperation | ErrorKind::NotFound
    )
}

/// How many paths the OpenAPI document of a help answer has.
fn paths_of(data: &JsonObject) -> Option<usize> {
    let data: serde_json::Value = data.decode().ok()?;
    let paths = data.get("openapi")?.get("paths")?.as_object()?;
    Some(paths.len())
}

fn keep_log(host: &PluginHost, entry: &PluginEntry, name: &str, report: &mut Report) {
    const LINES: usize = 20;
    let lines = host.logs(entry.plugin_type, name, None, LINES);
    report.log = lines
        .into_iter()
        .map(|line| format!("[{}] {}", line.level, line.message))
        .collect();
}

/// The digest and size of a file, read as a server reads it.
pub(super) async fn digest(host: &PluginHost, command: &str) -> Result<String> {
    let facts = host.inspect(command).await.context("read the file")?;
    let sha256 = facts.sha256.context("the file cannot be read")?;
    Ok(sha256.to_string())
}
