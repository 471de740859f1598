//! One mount's backend inside a plugin process, as the core sees it.
//!
//! It outlives its process: when that ends, the supervisor binds the instance to the next one.
//! Requests meanwhile wait, for a bounded time, and a request is sent again only when it surely
//! was not delivered (plugin-protocol §5.8).

mod call;
mod core;

pub(crate) use self::core::{Bond, Core};

use crate::Error;
use crate::generation::{Snapshot, Source};
use crate::host::Host;
use linchpin_engine::{Backend, BoxFuture, Context, Health, Prepare, SpecialPaths};
use linchpin_model::{Operation, PluginType, Request, Response};
use std::sync::Arc;

/// What the core holds. Dropping it without [`Backend::cleanup`] ends the instance all the same.
#[derive(Debug)]
pub(crate) struct Instance {
    core: Arc<Core>,
    plugin_type: PluginType,
    special_paths: Arc<SpecialPaths>,
    generation: u64,
    snapshot: Option<Arc<Snapshot>>,
}

impl Instance {
    /// Joins or starts a generation and sets the instance up.
    pub(crate) async fn prepare(
        host: Arc<Host>,
        source: Source,
        prepare: Prepare,
    ) -> Result<Self, Error> {
        let place = host.registry.enter(&host, &source, &prepare.joining)?;
        let joined = place.generation().cloned().ok_or(Error::Stopping)?;
        let core = Arc::new(Core::new(host, Arc::clone(source.entry()), prepare));
        let special_paths = core.enter(place).await?;
        Ok(Self {
            plugin_type: core.plugin_type(),
            special_paths,
            generation: joined.number(),
            snapshot: joined.snapshot(),
            core,
        })
    }

    /// What its generation was made from.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// The number of its generation.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

impl Backend for Instance {
    fn plugin_type(&self) -> PluginType {
        self.plugin_type
    }

    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::clone(&self.special_paths)
    }

    fn initialize<'a>(
        &'a self,
        ctx: &'a Context,
    ) -> BoxFuture<'a, Result<(), linchpin_engine::Error>> {
        Box::pin(self.core.initialize(ctx))
    }

    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, linchpin_engine::Error>> {
        // A list, help or look-ahead has no effect; a read may create credentials.
        let harmless = matches!(
            request.operation(),
            Operation::List
                | Operation::Scan
                | Operation::Help
                | Operation::AliasLookahead
                | Operation::ResolveRole
                | Operation::ResolvePath
        );
        let request = Arc::new(request);
        Box::pin(self.core.call(ctx, harmless, move |wire| {
            let request = Arc::clone(&request);
            Box::pin(async move { wire.handle_request(ctx.deadline, &request).await })
        }))
    }

    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, linchpin_engine::Error>> {
        Box::pin(self.core.call(ctx, true, move |wire| {
            Box::pin(async move { wire.existence_check(ctx.deadline, request).await })
        }))
    }

    fn resolve_path<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<String>, linchpin_engine::Error>> {
        Box::pin(self.core.call(ctx, true, move |wire| {
            Box::pin(async move { wire.resolve_path(ctx.deadline, request).await })
        }))
    }

    fn resolves_paths(&self) -> bool {
        self.core.asks_transactional()
    }

    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let sent = self.core.call(ctx, true, move |wire| {
                Box::pin(async move { wire.invalidate_key(ctx.deadline, key).await })
            });
            if let Err(error) = sent.await {
                tracing::warn!(%error, "plugin was not told of a changed key");
            }
        })
    }

    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(self.core.retire())
    }

    fn health(&self) -> Health {
        self.core.health()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.core.retire_later();
    }
}
