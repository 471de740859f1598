//! What is behind HTTP: one call.

use linchpin_core::{ClientRequest, Core, Error};
use linchpin_engine::{BoxFuture, Context};
use linchpin_model::Response;
use std::sync::Arc;

/// Serves requests. The node does; tests put a fake here.
///
/// `ctx.cancel` fires when the client is gone. The future may then be dropped, so the work itself
/// must run elsewhere if it may not be cut in half (design §5).
pub trait Handler: Send + Sync + 'static {
    /// Serves one request. `None`: nothing is there, or nothing is to be said.
    fn handle(
        &self,
        ctx: Context,
        request: ClientRequest,
    ) -> BoxFuture<'_, Result<Option<Response>, Error>>;
}

impl Handler for Arc<Core> {
    fn handle(
        &self,
        ctx: Context,
        request: ClientRequest,
    ) -> BoxFuture<'_, Result<Option<Response>, Error>> {
        Box::pin(Core::handle(self, ctx, request))
    }
}
