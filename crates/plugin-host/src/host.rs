//! What all parts of the plugin host share, and its door: the factory and the fleet.

use crate::artefact::Artefacts;
use crate::deadline::{START, in_context, within};
use crate::environment::{Variables, inheritable};
use crate::generation::{Registry, Source};
use crate::instance::Instance;
use crate::journal::Journal;
use crate::launch::Launcher;
use crate::spawner::Spawner;
use crate::totals::Totals;
use crate::{Error, PluginDirectory, Settings, permissions, probe};
use linchpin_catalog::Facts;
use linchpin_engine::{
    BackendFactory, BoxFuture, Captured, Context, FileFacts, Fleet, InstanceStatus, LogLine,
    PluginSource, PluginTotals, Prepare, Prepared, Probe, Running,
};
use linchpin_model::{PluginEntry, PluginType};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a sealed copy is kept that nothing uses.
const KEPT: Duration = Duration::from_secs(30);
/// How many of them there are: each is as large as its plugin.
const MOST_KEPT: usize = 2;

/// How long the end of the server waits for plugins that were asked to stop.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Runs the plugins of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PluginHost(Arc<Host>);

/// What every part needs.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) settings: Settings,
    pub(crate) spawner: Spawner,
    pub(crate) artefacts: Artefacts,
    pub(crate) directory: Option<PluginDirectory>,
    pub(crate) inherited: Variables,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the server ends: nothing is started any more.
    pub(crate) stopping: CancellationToken,
    pub(crate) registry: Registry,
    /// The last lines of all plugins.
    pub(crate) journal: Arc<Journal>,
    /// What has happened to their processes.
    pub(crate) totals: Totals,
    /// Places for sealed copies that nothing uses at the moment.
    kept: Arc<Semaphore>,
}

impl PluginHost {
    /// Opens the plugin directory, removes what servers have left below the socket directory that
    /// were killed, and starts the spawner thread. Call it within the runtime.
    ///
    /// # Errors
    /// [`Error::Directory`] when the plugin directory cannot be used, [`Error::Permissions`] when
    /// its owner or mode is not what the settings want, [`Error::System`] when the thread cannot be
    /// started.
    pub fn start(settings: Settings, launcher: Launcher) -> Result<Self, Error> {
        Self::with_spawner(settings, |tracker| Spawner::start(launcher, tracker))
    }

    /// The mutant that forks on the blocking pool.
    ///
    /// # Errors
    /// As [`PluginHost::start`].
    #[cfg(feature = "fault-injection")]
    pub fn start_forking_on_the_blocking_pool(
        settings: Settings,
        launcher: Launcher,
    ) -> Result<Self, Error> {
        Self::with_spawner(settings, |tracker| {
            Ok(Spawner::start(launcher, tracker)?.forking_on_the_blocking_pool())
        })
    }

    fn with_spawner(
        settings: Settings,
        spawner: impl FnOnce(TaskTracker) -> Result<Spawner, Error>,
    ) -> Result<Self, Error> {
        let directory = match &settings.plugin_directory {
            Some(path) => Some(PluginDirectory::open(path)?),
            None => None,
        };
        if let (Some(directory), Some(wanted)) = (&directory, &settings.file_permissions) {
            permissions::check(directory.path(), wanted)?;
        }
        crate::process::sweep(&settings.socket_directory);
        // Made and gone again: an operator learns of it now, and not from the first mount that fails.
        let trial = crate::process::try_private_directory(&settings.socket_directory);
        if let (true, Err(error)) = (directory.is_some(), trial) {
            tracing::error!(%error, "no plugin can be started");
        }
        let tracker = TaskTracker::new();
        Ok(Self(Arc::new(Host {
            inherited: inheritable(std::env::vars_os(), &settings.server_variables),
            spawner: spawner(tracker.clone())?,
            artefacts: Artefacts::default(),
            directory,
            tracker,
            stopping: CancellationToken::new(),
            registry: Registry::default(),
            journal: Arc::default(),
            totals: Totals::default(),
            kept: Arc::new(Semaphore::new(MOST_KEPT)),
            settings,
        })))
    }
}

impl Host {
    /// Validates an entry as registration does and opens its artefact.
    pub(crate) async fn open_artefact(
        self: &Arc<Self>,
        entry: &PluginEntry,
    ) -> Result<Arc<crate::artefact::Artefact>, Error> {
        let facts = Facts {
            has_directory: self.directory.is_some(),
            env_allow: &self.settings.plugin_env_allow,
            ..Facts::default()
        };
        linchpin_catalog::check_entry(entry, &facts)?;
        if entry.plugin_type == PluginType::Database {
            return Err(Error::Unsupported {
                name: entry.name.clone(),
                reason: "database plugins are not supported yet",
            });
        }
        let directory = self.directory.clone().ok_or(Error::NoDirectory)?;
        let (host, name, command) = (Arc::clone(self), entry.name.clone(), entry.command.clone());
        let execution = entry.execution.unwrap_or(self.settings.plugin_execution);
        let sha256 = entry.sha256;
        let opened = self.blocking(move || {
            host.check_permissions(&directory, &name, &command)?;
            host.artefacts
                .open(&directory, &name, &command, sha256, execution)
        });
        let artefact = opened.await??;
        self.keep_for_a_while(&artefact);
        Ok(artefact)
    }

    /// Checks owner and mode of the directory and of the file of `command`, if that is asked for.
    /// Blocks.
    fn check_permissions(
        &self,
        directory: &PluginDirectory,
        name: &str,
        command: &str,
    ) -> Result<(), Error> {
        let Some(wanted) = &self.settings.file_permissions else {
            return Ok(());
        };
        permissions::check(directory.path(), wanted)?;
        let file = directory.resolve(name, command)?;
        permissions::check(&file.path, wanted)
    }

    /// Keeps a sealed copy beyond its first use: what is registered, and so run once, is usually
    /// mounted next, and need not be read and hashed again for it. Only a few are kept at a time.
    fn keep_for_a_while(&self, artefact: &Arc<crate::artefact::Artefact>) {
        let Ok(place) = Arc::clone(&self.kept).try_acquire_owned() else {
            return;
        };
        let (artefact, stopping) = (Arc::clone(artefact), self.stopping.clone());
        self.tracker.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(KEPT) => {}
            }
            drop((artefact, place));
        });
    }

    /// Runs what blocks on the disk.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Error::Stopping)
    }
}

impl BackendFactory for PluginHost {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Context,
        prepare: Prepare,
    ) -> BoxFuture<'a, Result<Prepared, linchpin_engine::Error>> {
        Box::pin(async move {
            let no_plugin = |text| Err(linchpin_engine::Error::internal(text));
            let source = match &prepare.source {
                PluginSource::External(entry) => Source::Catalog(Arc::clone(entry)),
                PluginSource::Captured(held) => match Arc::clone(&held.0).downcast() {
                    Ok(snapshot) => Source::Captured(snapshot),
                    Err(_) => return no_plugin("captured by somebody else"),
                },
                PluginSource::Builtin(_) => return no_plugin("not an external plugin"),
            };
            let entry = Arc::clone(source.entry());
            let host = Arc::clone(&self.0);
            // A task of its own: a caller that goes away must not leave half a start.
            let work = self
                .0
                .tracker
                .spawn(Instance::prepare(host, source, prepare));
            let outcome = in_context(ctx, Instant::now(), START, work).await?;
            let instance = outcome.map_err(|_| Error::Stopping).and_then(|made| made);
            let instance = instance.map_err(Error::into_refusal)?;
            Ok(Prepared {
                running: Running {
                    version: entry.version_text().to_owned(),
                    sha256: Some(entry.sha256),
                    generation: Some(instance.generation()),
                },
                captured: instance.snapshot().map(|s| Captured(s as _)),
                backend: Arc::new(instance),
            })
        })
    }
}

impl Fleet for PluginHost {
    fn inspect<'a>(
        &'a self,
        command: &'a str,
    ) -> BoxFuture<'a, Result<FileFacts, linchpin_engine::Error>> {
        Box::pin(async move {
            let directory = self.0.directory.clone().ok_or(Error::NoDirectory);
            let directory = directory.map_err(wrapped)?;
            let (host, command) = (Arc::clone(&self.0), command.to_owned());
            let look = self.0.blocking(move || {
                host.check_permissions(&directory, "", &command)?;
                directory.resolve("", &command)?;
                // A file that is there and cannot be read has no digest to warn about.
                let sha256 = host.artefacts.digest(&directory, "", &command).ok();
                Ok(FileFacts { sha256 })
            });
            let limit = self.0.start_limit();
            let found = within(limit, "reading the plugin's file", look).await;
            found.and_then(|f| f).and_then(|f| f).map_err(wrapped)
        })
    }

    fn artefacts(&self) -> Vec<String> {
        let listed = self
            .0
            .directory
            .as_ref()
            .map(|d| std::fs::read_dir(d.path()));
        let Some(Ok(entries)) = listed else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok().filter(|e| e.path().is_file()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    fn probe<'a>(
        &'a self,
        ctx: &'a Context,
        entry: &'a PluginEntry,
        plugin_type: Option<PluginType>,
    ) -> BoxFuture<'a, Result<Probe, linchpin_engine::Error>> {
        Box::pin(async move {
            let work = probe::run(Arc::clone(&self.0), entry.clone(), plugin_type);
            let work = self.0.tracker.spawn(work);
            let outcome = in_context(ctx, Instant::now(), START, work).await?;
            outcome
                .map_err(|_| Error::Stopping)
                .and_then(|probe| probe)
                .map_err(Error::into_refusal)
        })
    }

    fn instances(&self) -> Vec<InstanceStatus> {
        self.0.registry.instances()
    }

    fn totals(&self) -> Vec<PluginTotals> {
        self.0.totals.read()
    }

    fn logs(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: Option<&str>,
        limit: usize,
    ) -> Vec<LogLine> {
        self.0.journal.read(plugin_type, name, version, limit)
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.stopping.cancel();
            self.0.tracker.close();
            let ended = tokio::time::timeout(SHUTDOWN, self.0.tracker.wait()).await;
            if ended.is_err() {
                tracing::warn!("plugin processes are still there at the end of the server");
            }
        })
    }
}

/// wrapped(400): rows 12 to 15 of plugin-lifecycle §2.5.
fn wrapped(error: Error) -> linchpin_engine::Error {
    linchpin_engine::Error::refused_wrapped(error.to_string()).with_source(error)
}
