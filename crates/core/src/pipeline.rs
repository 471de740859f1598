//! The pipeline: every request is this list of stages (style: "The request pipeline").
//!
//! Each stage takes what the one before it made, so a skipped stage does not compile. The work
//! runs in a task of its own: the connection only waits, and when it goes away the request is
//! cancelled, never cut in half. The order differs from the usual in one place: the gate is
//! entered only after the caller is known, so that nobody without a token can fill its queue.

mod admit;
pub(crate) mod audit;
mod classify;
pub(crate) mod decide;
mod dispatch;
mod enter;
pub(crate) mod identify;
pub(crate) mod limits;
pub(crate) mod route;
mod settle;

use crate::node::Node;
use crate::{ClientRequest, Core, Error};
use decide::Decision;
use linchpin_engine::Context;
use linchpin_model::Response;
use std::sync::Arc;

impl Core {
    /// Serves one request. `None`: nothing is there, or nothing is to be said.
    ///
    /// # Cancel safety
    /// When this future is dropped the request is cancelled through its context and ends by
    /// itself, settled and audited.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn handle(
        self: &Arc<Self>,
        ctx: Context,
        request: ClientRequest,
    ) -> Result<Option<Response>, Error> {
        let (ctx, node) = self.admit(ctx)?;
        let hang_up = ctx.cancel.clone().drop_guard();
        let outcome = self
            .tasks
            .spawn(Arc::clone(self).run(ctx, node, request))
            .await;
        hang_up.disarm();
        outcome.unwrap_or(Err(Error::TaskFailed))
    }

    async fn run(
        self: Arc<Self>,
        ctx: Context,
        node: Arc<Node>,
        request: ClientRequest,
    ) -> Result<Option<Response>, Error> {
        self.limits.take(&node, &request)?; // rate, in flight: before any look-up
        let routed = node.route(request); // mount and path below it, or nowhere: both are values
        let caller = self.identify(&routed); // a token, nobody, or why not: all are values
        let entered = node.enter(&ctx, routed, &caller).await; // gate ticket: one request, one instance
        let classified = node.classify(&ctx, entered).await; // canonical path; create or update
        let decision = caller.decide(classified); // Allowed(Authorized<_>) | Denied
        self.audit.request(&ctx, &decision).await?; // both; no audit, no answer
        let outcome = match decision {
            Decision::Allowed(call) => {
                let answer = node.dispatch(&ctx, &call).await;
                self.settle(&ctx, &call, answer).await // leases, wrapping, headers
            }
            Decision::Denied(denied) => Err(denied.why),
        };
        match self.audit.response(&ctx, &outcome).await {
            Ok(()) => outcome,
            Err(refused) => self.undo(&ctx, outcome, refused).await, // revoke what nobody may receive
        }
    }
}

#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
mod tests;
