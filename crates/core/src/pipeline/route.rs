//! Stage 3: which mount, and which path below it.

use crate::ClientRequest;
use crate::mount::Mount;
use crate::node::Node;
use std::sync::Arc;

/// A request with the mount that it is for.
pub(crate) struct Routed {
    /// The client's request.
    pub(crate) request: ClientRequest,
    /// The mount; `None` when no mount serves the path.
    pub(crate) mount: Option<Arc<Mount>>,
    /// The path below the mount.
    pub(crate) path: String,
}

impl Node {
    /// Finds the mount with the longest path that the request's path lies below.
    pub(super) fn route(&self, request: ClientRequest) -> Routed {
        match self.find(&request.path) {
            Some((mount, path)) => {
                let (mount, path) = (Arc::clone(mount), path.to_owned());
                Routed {
                    request,
                    mount: Some(mount),
                    path,
                }
            }
            None => Routed {
                request,
                mount: None,
                path: String::new(),
            },
        }
    }
}
