//! The instance itself: its mount, what it is bound to now, and its life.

use crate::Error;
use crate::deadline::{in_context, is_over};
use crate::generation::Place;
use crate::host::Host;
use crate::phase::SetupView;
use crate::process::Process;
use crate::supervise::Supervised;
use linchpin_engine::{
    Context, Health, InstanceState, InstanceStatus, MountInfo, Prepare, SpecialPaths, StorageView,
    SystemView,
};
use linchpin_goplugin::host::{Instance as Wire, Setup};
use linchpin_model::{PluginEntry, PluginType};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// When an instance that failed by itself is tried again at the latest; callers are told to wait
/// so long.
const RETRY: Duration = Duration::from_secs(5);
/// The step that ends the coming up of an instance.
const INITIALIZE: &str = "Initialize";
/// What the deadline of a start calls it that follows an end.
const AGAIN: &str = "the new start of the plugin process";
/// How long an instance that failed to come up may take to clean up.
const FAILED_CLEANUP: Duration = Duration::from_secs(2);

/// What an instance is bound to.
#[derive(Debug, Clone)]
pub(crate) enum Bond {
    /// To nothing yet, or again.
    Starting,
    /// To an instance in a process.
    Bound(Bound),
    /// To nothing: what is wrong, and when the next attempt is.
    Degraded { cause: String, until: Instant },
    /// To nothing any more.
    Ended,
}

/// A working bond.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) wire: Arc<Wire>,
    pub(crate) process: Arc<Process>,
    storage: Arc<SetupView>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bound({}, pid {})", self.wire.id(), self.process.pid())
    }
}

/// One mount's instance.
pub(crate) struct Core {
    pub(super) host: Arc<Host>,
    pub(super) entry: Arc<PluginEntry>,
    mount: MountInfo,
    storage: Arc<dyn StorageView>,
    system: Arc<dyn SystemView>,
    pub(super) calls: Semaphore,
    pub(super) bond: watch::Sender<Bond>,
    home: Mutex<Option<Home>>,
    /// One binding after the other, so that the newest process has the last word.
    binding: tokio::sync::Mutex<()>,
    /// Set up by the core's own call: from then on the supervisor binds it again.
    prepared: AtomicBool,
    initialized: AtomicBool,
    retired: AtomicBool,
}

/// Where it lives.
struct Home {
    place: Place,
    supervised: Arc<Supervised>,
    alone: bool,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("mount", &self.mount.path)
            .field("bond", &*self.bond.borrow())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(host: Arc<Host>, entry: Arc<PluginEntry>, prepare: Prepare) -> Self {
        Self {
            calls: Semaphore::new(host.settings.calls_in_flight),
            host,
            entry,
            mount: prepare.mount,
            storage: prepare.storage,
            system: prepare.system,
            bond: watch::Sender::new(Bond::Starting),
            home: Mutex::new(None),
            binding: tokio::sync::Mutex::new(()),
            prepared: AtomicBool::new(false),
            initialized: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        }
    }

    /// Secrets engine or auth method; checked at every Setup.
    pub(crate) fn plugin_type(&self) -> PluginType {
        self.entry.plugin_type
    }

    /// Sets it up in the generation of `place`. When this fails nothing of it is left, and of the
    /// generation neither, if it was the only one there.
    pub(crate) async fn enter(self: &Arc<Self>, place: Place) -> Result<Arc<SpecialPaths>, Error> {
        let Some(generation) = place.generation().cloned() else {
            return Err(Error::Stopping);
        };
        let (supervised, alone) = match generation.process(&self.host).await {
            Ok(found) => found,
            Err(error) => {
                place.leave().await;
                return Err(error);
            }
        };
        supervised.attach(self);
        *self.home.lock() = Some(Home {
            place,
            supervised: Arc::clone(&supervised),
            alone,
        });
        let bound = match self.process_of(&supervised).await {
            Ok(process) => self.bind(&process).await,
            Err(error) => Err(error),
        };
        match bound {
            Ok((bound, paths)) => {
                let alive = bound.process.is_alive();
                self.set_bond(Bond::Bound(bound));
                self.prepared.store(true, Ordering::Release);
                self.host.registry.list(self);
                if alive {
                    return Ok(paths);
                }
                self.retire().await;
                Err(Error::Step {
                    step: "Setup",
                    reason: "the plugin process ended".to_owned(),
                    stderr: Vec::new(),
                })
            }
            Err(error) => {
                self.retire().await;
                Err(error)
            }
        }
    }

    /// The running process, waiting for one that is being started again.
    async fn process_of(&self, supervised: &Supervised) -> Result<Arc<Process>, Error> {
        let end = Instant::now() + self.host.settings.start_wait;
        loop {
            if let Some(process) = supervised.process() {
                return Ok(process);
            }
            if Instant::now() >= end {
                return Err(Error::Deadline {
                    step: AGAIN,
                    limit: self.host.settings.start_wait,
                    stderr: Vec::new(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Setup, Type, SpecialPaths, Version, and Initialize if it had been initialised before.
    async fn bind(&self, process: &Arc<Process>) -> Result<(Bound, Arc<SpecialPaths>), Error> {
        let storage = Arc::new(SetupView::new(Arc::clone(&self.storage)));
        let mut config = self.mount.options.clone();
        config.insert("plugin_name".to_owned(), self.entry.name.clone());
        let plugin_type = self.entry.plugin_type.as_str().to_owned();
        config.insert("plugin_type".to_owned(), plugin_type);
        let version = self.entry.version_text().to_owned();
        config.insert("plugin_version".to_owned(), version);
        let setup = Setup {
            config,
            backend_uuid: self.mount.backend_uuid.clone(),
            storage: Arc::clone(&storage) as Arc<dyn StorageView>,
            system: Arc::clone(&self.system),
        };
        let limit = self.host.settings.plugin_setup_timeout;
        let made = process.connection().setup(setup);
        let wire = Arc::new(process.step("Setup", limit, made).await?);
        let checked = match self.check(process, &wire).await {
            Ok(paths) if self.initialized.load(Ordering::Acquire) => {
                storage.open();
                let done = self.initialize_wire(None, process, &wire).await;
                done.map(|()| paths)
            }
            other => other,
        };
        match checked {
            Ok(paths) => {
                let bound = Bound {
                    wire,
                    process: Arc::clone(process),
                    storage,
                };
                Ok((bound, paths))
            }
            Err(error) => {
                // The process may serve others: it should not keep what nobody will address.
                let _ = tokio::time::timeout(FAILED_CLEANUP, wire.cleanup()).await;
                Err(error)
            }
        }
    }

    /// Whether it is what its entry says.
    async fn check(&self, process: &Process, wire: &Wire) -> Result<Arc<SpecialPaths>, Error> {
        let limit = self.host.settings.plugin_setup_timeout;
        let plugin_type = process.step("Type", limit, wire.plugin_type()).await?;
        if plugin_type != Some(self.entry.plugin_type) {
            return Err(Error::Refused(format!(
                "unknown backend type: {:?}",
                self.entry.name
            )));
        }
        let asked = wire.special_paths();
        let paths = process.step("SpecialPaths", limit, asked).await?;
        if let Some(pattern) = paths.first_invalid() {
            return Err(Error::Refused(format!(
                "the plugin reports the unauthenticated path {pattern:?}, which is no valid pattern"
            )));
        }
        let reported = process.step("Version", limit, wire.version()).await?;
        linchpin_catalog::check_reported(&self.entry, &reported)?;
        Ok(Arc::new(paths))
    }

    async fn initialize_wire(
        &self,
        deadline: Option<Instant>,
        process: &Process,
        wire: &Wire,
    ) -> Result<(), Error> {
        let limit = self.host.settings.plugin_initialize_timeout;
        let asked = wire.initialize(deadline);
        process.step(INITIALIZE, limit, asked).await
    }

    /// The core's call: storage can be written from now on.
    pub(crate) async fn initialize(&self, ctx: &Context) -> Result<(), linchpin_engine::Error> {
        let began = Instant::now();
        let bound = self.bound(ctx).await?;
        bound.storage.open();
        let work = Box::pin(async {
            let asked = self.initialize_wire(ctx.deadline, &bound.process, &bound.wire);
            match asked.await {
                // The plugin counts the same time: the end of ours is what is told.
                Err(_) if is_over(ctx) => std::future::pending().await,
                done => done,
            }
        });
        // The core has the same limit, began to count a moment earlier, and takes its own text.
        in_context(ctx, began, INITIALIZE, work)
            .await?
            .map_err(Error::into_refusal)?;
        self.initialized.store(true, Ordering::Release);
        Ok(())
    }

    /// The supervisor's call: a new process runs, or the old one may take it now.
    pub(crate) async fn bind_again(&self, process: &Arc<Process>) {
        let _one_at_a_time = self.binding.lock().await;
        let is_wanted =
            self.prepared.load(Ordering::Acquire) && !self.retired.load(Ordering::Acquire);
        if !is_wanted || !process.is_alive() {
            return; // gone, or its process is: then the next one is on its way
        }
        match self.bind(process).await {
            Ok((bound, _)) => self.set_bond(Bond::Bound(bound)),
            Err(_) if !process.is_alive() => {}
            Err(error) => {
                tracing::warn!(
                    plugin = self.entry.name, mount = self.mount.path, %error,
                    "plugin instance does not come up again"
                );
                self.set_bond(Bond::Degraded {
                    cause: error.for_requests(),
                    until: Instant::now() + RETRY,
                });
            }
        }
    }

    /// Publishes what it is bound to; the end is final.
    pub(crate) fn set_bond(&self, bond: Bond) {
        self.bond.send_if_modified(|now| {
            if matches!(now, Bond::Ended) {
                return false;
            }
            *now = bond;
            true
        });
    }

    pub(crate) fn is_degraded(&self) -> bool {
        matches!(&*self.bond.borrow(), Bond::Degraded { .. })
    }

    /// The last RPC, without the rest of a retirement.
    pub(crate) async fn say_goodbye(&self) {
        let bound = match &*self.bond.borrow() {
            Bond::Bound(bound) => Some(bound.clone()),
            _ => None,
        };
        let Some(bound) = bound else { return };
        let limit = self.host.settings.plugin_cleanup_timeout;
        match tokio::time::timeout(limit, bound.wire.cleanup()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(plugin = self.entry.name, %error, "plugin instance did not clean up");
            }
            Err(_) => {
                tracing::warn!(
                    plugin = self.entry.name,
                    mount = self.mount.path,
                    ?limit,
                    "plugin instance does not finish its Cleanup"
                );
            }
        }
    }

    /// The end of the instance, once: Cleanup, out of its process, and with the last instance the
    /// process ends too.
    pub(crate) async fn retire(self: &Arc<Self>) {
        if self.retired.swap(true, Ordering::AcqRel) {
            return;
        }
        // A task of its own: who asked may go away, the end goes on.
        let core = Arc::clone(self);
        let _ = self
            .host
            .tracker
            .spawn(async move { core.leave().await })
            .await;
    }

    /// The same when nobody waits.
    pub(crate) fn retire_later(self: &Arc<Self>) {
        if self.retired.swap(true, Ordering::AcqRel) {
            return;
        }
        let core = Arc::clone(self);
        self.host.tracker.spawn(async move { core.leave().await });
    }

    async fn leave(self: Arc<Self>) {
        self.say_goodbye().await;
        self.set_bond(Bond::Ended);
        let Some(home) = self.home.lock().take() else {
            return;
        };
        home.supervised.detach(&self);
        if home.alone {
            home.supervised.stop().await;
        }
        home.place.leave().await;
    }

    pub(crate) fn asks_transactional(&self) -> bool {
        matches!(&*self.bond.borrow(), Bond::Bound(bound) if bound.wire.asks_transactional())
    }

    pub(crate) fn health(&self) -> Health {
        match &*self.bond.borrow() {
            Bond::Bound(_) => Health::Running,
            Bond::Starting => Health::Starting,
            Bond::Degraded { cause, until } => Health::Degraded {
                cause: cause.clone(),
                retry_after: until.saturating_duration_since(Instant::now()),
            },
            Bond::Ended => Health::Degraded {
                cause: "plugin is shut down".to_owned(),
                retry_after: RETRY,
            },
        }
    }

    /// What the API lists; `None` once it has left.
    pub(crate) fn status(&self) -> Option<InstanceStatus> {
        let home = self.home.lock();
        let home = home.as_ref()?;
        Some(InstanceStatus {
            entry: Arc::clone(&self.entry),
            generation: home.place.generation().map_or(0, |g| g.number()),
            mount: self.mount.path.clone(),
            state: match &*self.bond.borrow() {
                Bond::Bound(_) => InstanceState::Running,
                Bond::Starting => InstanceState::Starting,
                Bond::Degraded { cause, .. } => InstanceState::Degraded(cause.clone()),
                Bond::Ended => return None,
            },
            process: home
                .supervised
                .process()
                .map(|process| process.status(!home.alone)),
            restarts: home.supervised.restarts(),
            last_error: home.supervised.last_error(),
        })
    }
}
