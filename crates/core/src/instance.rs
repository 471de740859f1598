//! One instance of a mount's engine, as the core holds it.

use crate::view::InstanceView;
use linchpin_engine::{Backend, Captured, Prepared, Running};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// An engine with the view that it was given.
pub(crate) struct Instance {
    number: u64,
    backend: Arc<dyn Backend>,
    running: Running,
    view: Option<Arc<InstanceView>>,
    /// What its generation was made from, to start it once more.
    captured: Option<Captured>,
    /// Whether its generation may run beside another one (plugin-lifecycle §5.4).
    overlaps: bool,
    /// Cancelled when a forced reload gives up on the requests inside.
    abort: Mutex<CancellationToken>,
}

impl Instance {
    /// An instance; numbers are never reused while the server runs.
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        running: Running,
        view: Option<Arc<InstanceView>>,
    ) -> Arc<Self> {
        let prepared = Prepared {
            backend,
            running,
            captured: None,
        };
        Self::prepared(prepared, view, true)
    }

    /// An instance as the factory made it. `overlaps`: what its catalog entry says.
    pub(crate) fn prepared(
        prepared: Prepared,
        view: Option<Arc<InstanceView>>,
        overlaps: bool,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            backend: prepared.backend,
            running: prepared.running,
            view,
            captured: prepared.captured,
            overlaps,
            abort: Mutex::new(CancellationToken::new()),
        })
    }

    /// Its number.
    #[must_use]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The engine.
    #[must_use]
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// What it runs.
    #[must_use]
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Its view of the mount's storage; `None` for engines that keep nothing.
    pub(crate) fn view(&self) -> Option<&Arc<InstanceView>> {
        self.view.as_ref()
    }

    /// What its generation was made from; `None` for a built-in.
    pub(crate) fn captured(&self) -> Option<&Captured> {
        self.captured.as_ref()
    }

    /// Whether its generation may run beside another one.
    pub(crate) fn overlaps(&self) -> bool {
        self.overlaps
    }

    /// Cancelled when the requests that are inside now must end.
    pub(crate) fn abort(&self) -> CancellationToken {
        self.abort.lock().clone()
    }

    /// Cancels the requests inside. Those that come later are not touched: should the reload fail
    /// after all, this instance serves on.
    pub(crate) fn cancel_running(&self) {
        std::mem::take(&mut *self.abort.lock()).cancel();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use linchpin_engine::{BoxFuture, Context, Error, SpecialPaths};
    use linchpin_model::{PluginType, Request, Response};

    struct Nothing;
    impl Backend for Nothing {
        fn plugin_type(&self) -> PluginType {
            PluginType::Secret
        }
        fn special_paths(&self) -> Arc<SpecialPaths> {
            Arc::default()
        }
        fn initialize<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
            Box::pin(async { Ok(()) })
        }
        fn handle<'a>(
            &'a self,
            _: &'a Context,
            _: Request,
        ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
            Box::pin(async { Ok(None) })
        }
        fn exists<'a>(
            &'a self,
            _: &'a Context,
            _: &'a Request,
        ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
            Box::pin(async { Ok(None) })
        }
        fn invalidate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, ()> {
            Box::pin(async {})
        }
        fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
            Box::pin(async {})
        }
    }

    /// An engine that serves nothing.
    pub(crate) fn nothing() -> Arc<dyn Backend> {
        Arc::new(Nothing)
    }

    /// An instance that serves nothing, with this number.
    pub(crate) fn instance(number: u64) -> Arc<Instance> {
        Arc::new(Instance {
            number,
            backend: Arc::new(Nothing),
            running: Running::default(),
            view: None,
            captured: None,
            overlaps: true,
            abort: Mutex::new(CancellationToken::new()),
        })
    }
}
