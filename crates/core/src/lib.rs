//! The node: request pipeline, router, mounts, the plugin catalog as a service, and reload.
//!
//! `core` sees engines as `dyn Backend`, made by a `dyn BackendFactory`; it never names a
//! process, HTTP, or one concrete engine. The binary puts them together.

mod error;
mod fault;
mod gate;
mod instance;
mod request;
mod store;
mod view;

pub use error::Error;
pub use request::ClientRequest;

use linchpin_engine::Context;
use linchpin_model::Response;
use std::sync::Arc;

/// The node.
pub struct Core {}

impl Core {
    /// Serves one request. The connection only waits here: when it goes away the request is
    /// cancelled, never dropped (design §5). `None`: nothing is there, or nothing is to be said.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn handle(self: &Arc<Self>, ctx: Context, request: ClientRequest) -> Result<Option<Response>, Error> {
        let _ = (ctx, request);
        Err(Error::Sealed)
    }
}
