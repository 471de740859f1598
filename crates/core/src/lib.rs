//! The node: request pipeline, router, and what a reload stands on: gates and storage views.
//!
//! `core` sees engines as `dyn Backend`, made by a `dyn BackendFactory`; it never names a
//! process, HTTP, or one concrete engine. The binary puts them together.
//!
//! Mounting, the plugin catalog as a service and the reload itself are not here yet: a [`Core`]
//! serves exactly the mounts that it is built with.

mod error;
mod fault;
mod gate;
mod instance;
mod mount;
mod node;
mod pipeline;
mod reload;
mod request;
mod settings;
mod store;
mod view;

pub use error::Error;
pub use gate::GateLimits;
pub use pipeline::decide::Authorized;
pub use reload::MountResult;
pub use request::ClientRequest;
pub use settings::Settings;

use arc_swap::ArcSwap;
use linchpin_crypto::Secret;
use node::Node;
use pipeline::audit::Audit;
use pipeline::identify::RootToken;
use pipeline::limits::Limits;
use tokio_util::task::TaskTracker;

/// The node.
pub struct Core {
    node: ArcSwap<Node>,
    tasks: TaskTracker,
    limits: Limits,
    audit: Audit,
    root_token: RootToken,
}

impl Core {
    /// A node with these mounts that accepts this root token.
    #[cfg(test)]
    fn with(
        mounts: Vec<std::sync::Arc<mount::Mount>>,
        root_token: &Secret<String>,
        audit: Audit,
    ) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            node: ArcSwap::from_pointee(Node::new(mounts)),
            tasks: TaskTracker::new(),
            limits: Limits::default(),
            audit,
            root_token: RootToken::new(root_token),
        })
    }
}
