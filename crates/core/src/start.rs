//! The start of a node and its end.

use crate::instance::Instance;
use crate::mount::Mount;
use crate::mounts::{suffix, tables};
use crate::node::Node;
use crate::pipeline::audit::Audit;
use crate::pipeline::identify::RootToken;
use crate::pipeline::limits::Limits;
use crate::store::Store;
use crate::{Core, Error, Settings, background, mounts, plugins, reload};
use arc_swap::ArcSwap;
use linchpin_barrier::Barrier;
use linchpin_catalog::Builtin;
use linchpin_crypto::{Secret, random};
use linchpin_engine::{Backend, BackendFactory, ClusterInfo, Fleet, Running};
use linchpin_formats::{MountEntry, keys};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Makes the `sys/` engine of a node. It gets the node as a weak pointer, because the node holds it.
pub type MakeSystem = Box<dyn FnOnce(Weak<Core>) -> Arc<dyn Backend> + Send>;

/// How long the end of a node waits for requests, and then for Cleanups and what else goes on
/// beside them. What supervises servers kills them ten seconds after it asked.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a node is made of. The binary makes the parts; the node names none of them.
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// The barrier, unsealed.
    pub barrier: Arc<Barrier>,
    /// Name and id of the cluster.
    pub cluster: ClusterInfo,
    /// Makes the engines of mounts.
    pub factory: Arc<dyn BackendFactory>,
    /// The plugin files and processes.
    pub fleet: Arc<dyn Fleet>,
    /// What is compiled in.
    pub builtins: Vec<Builtin>,
    /// The root token.
    pub root_token: Secret<String>,
    /// The `sys/` engine.
    pub system: MakeSystem,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

impl Core {
    /// Starts a node on a fresh storage: `sys/` is mounted, and nothing else.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] for a storage with mounts, [`Error::Start`] when it fails.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, Error> {
        Self::start_with(parts, Audit::default()).await
    }

    pub(crate) async fn start_with(parts: Parts, audit: Audit) -> Result<Arc<Self>, Error> {
        let settings = parts.settings;
        let store = Store::new(parts.barrier);
        let failed = |what| move |error| Error::Start(what, error);
        let stored = store.get(keys::MOUNTS).await;
        if stored.map_err(failed("read the mount table"))?.is_some() {
            return Err(Error::NotEmpty);
        }
        let (fleet, builtins) = (Arc::clone(&parts.fleet), parts.builtins);
        let plugins =
            plugins::Plugins::load(store.clone(), fleet, settings.clone(), builtins).await;
        let plugins = plugins.map_err(failed("read the plugin catalog"))?;
        let core = Arc::new(Self {
            cluster: parts.cluster,
            node: ArcSwap::default(),
            factory: parts.factory,
            fleet: parts.fleet,
            mounts: mounts::Mounts::default(),
            plugins,
            reloads: reload::Reloads::new(settings.max_surge),
            limits: Limits::default(),
            audit,
            root_token: RootToken::new(&parts.root_token),
            tasks: TaskTracker::new(),
            work: TaskTracker::new(),
            stopping: CancellationToken::new(),
            clock: parts.clock,
            store,
            settings,
        });
        let backend = (parts.system)(Arc::downgrade(&core));
        let record = system_record();
        core.store
            .commit_changes(&[], tables(&[Arc::new(record.clone())]))
            .await
            .map_err(failed("write the mount table"))?;
        let running = Running {
            version: linchpin_model::BUILTIN_VERSION.to_owned(),
            ..Running::default()
        };
        let system = Mount::new(
            record.clone(),
            Arc::new(ArcSwap::new(core.facts_of(&record))),
            Instance::new(backend, running, None),
            None,
            core.settings.gate,
            core.stopping.child_token(),
        );
        core.node.store(Arc::new(Node::new([system])));
        let upgrading = Arc::clone(&core);
        core.work
            .spawn(async move { upgrading.upgrade_untyped_plugins().await });
        core.work.spawn(background::run(
            Arc::downgrade(&core),
            core.settings.rollback_interval,
            core.stopping.clone(),
        ));
        Ok(core)
    }

    /// The node is about to stop: reloads, moves and starts end at their next step. Requests are
    /// still served.
    pub fn stop_lifecycle(&self) {
        self.stopping.cancel();
    }

    /// Ends the node: no new requests, those under way end by themselves, then every instance is
    /// cleaned up and every plugin process ended. Returns when nothing is left.
    pub async fn shutdown(&self) {
        self.tasks.close();
        self.stopping.cancel();
        let mounts = self.node.load().mounts();
        let drained = tokio::time::timeout(PATIENCE, self.tasks.wait()).await;
        if drained.is_err() {
            for mount in &mounts {
                mount.gate().instance().cancel_running();
            }
            tracing::warn!(
                requests = self.tasks.len(),
                "requests still run at shutdown"
            );
        }
        self.work.close();
        let cleaned = async {
            let all = mounts.iter().filter(|mount| !mount.is_singleton());
            let all = all.map(|mount| async {
                self.clean_up(&mount.gate().instance()).await;
            });
            futures_util::future::join_all(all).await;
            self.work.wait().await;
        };
        if tokio::time::timeout(PATIENCE, cleaned).await.is_err() {
            tracing::warn!("Cleanups still run at shutdown");
        }
        self.fleet.shutdown().await;
    }

    /// The wall clock.
    pub(crate) fn clock(&self) -> SystemTime {
        (self.clock)()
    }
}

/// The record of `sys/` (storage-format §4.2).
fn system_record() -> MountEntry {
    let mut record = MountEntry {
        table: "mounts".to_owned(),
        path: "sys/".to_owned(),
        mount_type: "system".to_owned(),
        description: "system endpoints used for control, policy and debugging".to_owned(),
        uuid: random::uuid(),
        backend_aware_uuid: random::uuid(),
        accessor: format!("system_{}", suffix()),
        seal_wrap: true,
        namespace_id: "root".to_owned(),
        ..MountEntry::default()
    };
    record.config.passthrough_request_headers = vec!["Accept".to_owned()];
    record
}

#[cfg(test)]
pub(crate) mod tests;
