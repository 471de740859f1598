//! Stage 9: the engine is asked.

use super::decide::Authorized;
use super::enter::Inside;
use crate::Error;
use crate::node::Node;
use linchpin_engine::Context;
use linchpin_model::Response;

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
        let answer = backend.handle(ctx, inside.request.clone());
        inside.ticket.run(ctx, answer).await.map_err(Error::from)
    }
}
