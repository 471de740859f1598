//! A mount with nothing healthy behind it: 503 with the cause, and attempts in the background until
//! it serves again (design §4, plugin-lifecycle §7.6). It never answers 404, and no call is needed.

use crate::Core;
use crate::instance::Instance;
use crate::mount::Mount;
use crate::mounts::set_running;
use crate::standup::full_changes;
use linchpin_engine::{
    Backend, BoxFuture, Captured, Context, Error, Health, Joining, PluginSource, Running,
    SpecialPaths,
};
use linchpin_model::{PluginType, Request, Response};
use std::sync::Arc;
use std::time::Duration;

/// The pause after the first failed attempt; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: the mount serves again within ten seconds after the cause is gone.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The engine of such a mount.
struct Degraded {
    plugin_type: PluginType,
    /// Of the engine that was there: a path that needed no token answers 503 as well.
    special_paths: Arc<SpecialPaths>,
    cause: String,
}

impl Degraded {
    fn refusal(&self) -> Error {
        let text = format!("no plugin process serves this mount: {}", self.cause);
        Error::unavailable(text, LONGEST_PAUSE)
    }
}

impl Backend for Degraded {
    fn plugin_type(&self) -> PluginType {
        self.plugin_type
    }

    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::clone(&self.special_paths)
    }

    fn initialize<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn handle<'a>(
        &'a self,
        _: &'a Context,
        _: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        Box::pin(async { Err(self.refusal()) })
    }

    fn exists<'a>(
        &'a self,
        _: &'a Context,
        _: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(async { Err(self.refusal()) })
    }

    fn invalidate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn health(&self) -> Health {
        Health::Degraded {
            cause: self.cause.clone(),
            retry_after: LONGEST_PAUSE,
        }
    }
}

impl Core {
    /// What a mount has while nothing of it can be started. `old` is what it had.
    pub(crate) fn degraded(old: &Instance, cause: &str) -> Arc<Instance> {
        let backend = Degraded {
            plugin_type: old.backend().plugin_type(),
            special_paths: old.backend().special_paths(),
            cause: cause.to_owned(),
        };
        Instance::new(Arc::new(backend), Running::default(), None)
    }

    /// Tries, until the mount serves again, is removed, or got another instance by a reload: first
    /// what ran, then what the catalog says.
    pub(crate) fn heal(
        self: &Arc<Self>,
        mount: &Arc<Mount>,
        degraded: &Arc<Instance>,
        captured: Option<Captured>,
    ) {
        let core = Arc::clone(self);
        let (mount, degraded) = (Arc::clone(mount), Arc::clone(degraded));
        self.work.spawn(async move {
            let leaving = mount.leaving();
            let mut pause = FIRST_PAUSE;
            let mut said = String::new();
            loop {
                tokio::select! {
                    () = leaving.cancelled() => return,
                    () = core.stopping.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                let _one_at_a_time = mount.lifecycle.lock().await;
                if !Arc::ptr_eq(&mount.gate().instance(), &degraded) || mount.is_leaving() {
                    return;
                }
                let Err(error) = core.attempt(&mount, captured.as_ref()).await else {
                    return;
                };
                let cause = error.to_string();
                if cause != said {
                    tracing::warn!(mount = %mount.facts().point, %cause, "mount is degraded: it is tried again");
                    said = cause;
                }
            }
        });
    }

    async fn attempt(
        self: &Arc<Self>,
        mount: &Arc<Mount>,
        captured: Option<&Captured>,
    ) -> Result<(), Error> {
        let again = captured.cloned().map(PluginSource::Captured);
        let again = match again {
            Some(source) => self.serve_again(mount, source).await,
            None => Err(Error::refused("nothing has run here before")),
        };
        match again {
            Ok(()) => Ok(()),
            Err(_) => {
                let source = self.source_of(&mount.record())?;
                self.serve_again(mount, source).await
            }
        }
    }

    /// Brings an instance up beside the degraded one, which holds nothing, and publishes it.
    async fn serve_again(
        self: &Arc<Self>,
        mount: &Arc<Mount>,
        source: PluginSource,
    ) -> Result<(), Error> {
        let Some(storage) = mount.storage() else {
            return Err(Error::refused("this mount has no plugin"));
        };
        let ctx = Context::internal(mount.leaving().child_token());
        let (record, facts) = (mount.record(), mount.facts_cell());
        let new = self
            .prepare(&ctx, &record, facts, storage, source, Joining::Newest)
            .await?;
        let brought_up = async {
            let overlay = self.initialise(&ctx, &new).await?;
            let changes = full_changes(storage, overlay);
            let running = new.running().clone();
            self.change_record(mount, changes, |record| {
                set_running(record, &running);
                Ok(())
            })
            .await
        };
        if let Err(error) = brought_up.await {
            self.discard(&new).await;
            return Err(error);
        }
        if let Some(view) = new.view() {
            view.go_live().await;
        }
        let running = new.running();
        tracing::info!(
            mount = %mount.facts().point, version = %running.version,
            sha256 = %running.sha256.map_or(String::new(), |sha256| sha256.to_string()),
            "mount serves again"
        );
        mount.gate().replace(new);
        Ok(())
    }
}
