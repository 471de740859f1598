//! Stage 9: the engine is asked.

use super::decide::Authorized;
use super::enter::Inside;
use crate::Error;
use crate::node::Node;
use linchpin_engine::Context;
use linchpin_model::Response;
use std::time::Instant;

impl Node {
    /// Asks the engine and waits for its answer, also when the client is gone, the time is over or
    /// a forced reload gives up: these cancel the context, the engine ends by itself.
    pub(super) async fn dispatch(
        &self,
        ctx: &Context,
        call: &Authorized<Inside>,
    ) -> Result<Option<Response>, Error> {
        let inside = call.get();
        let backend = inside.ticket.instance().backend();
        let began = Instant::now();
        let answer = backend.handle(ctx, inside.request.clone());
        let answer = inside.ticket.run(ctx, answer).await;
        inside.counters.count(&answer, began.elapsed());
        answer.map_err(Error::from)
    }
}
