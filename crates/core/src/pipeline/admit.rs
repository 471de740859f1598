//! Stage 1: is the node able to serve at all? Takes the one snapshot that the request sees.

use crate::node::Node;
use crate::{Core, Error};
use linchpin_engine::Context;
use std::sync::Arc;

impl Core {
    /// Refuses while sealed or stopping; else gives the request a cancellation of its own and the
    /// node's snapshot.
    pub(super) fn admit(&self, ctx: Context) -> Result<(Context, Arc<Node>), Error> {
        if self.tasks.is_closed() {
            return Err(Error::ShuttingDown);
        }
        let node = self.node.load_full();
        if node.sealed {
            return Err(Error::Sealed);
        }
        Ok((ctx.child(), node))
    }
}
