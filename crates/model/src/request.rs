//! What an engine is asked (plugin-protocol §3.10).

use crate::{Auth, JsonObject, Operation, Secret, WrapRequest};
use std::fmt;
use std::sync::Arc;

/// One request as an engine sees it: routed, canonical, without the caller's token.
#[derive(Clone, Default)]
pub struct Request {
    /// The request's UUID; empty for host-internal operations.
    pub id: Arc<str>,
    /// What is asked.
    pub operation: Option<Operation>,
    /// The path below the mount; for a list it ends with `/` (or is empty).
    pub path: String,
    /// Body, or query parameters; `None` when there was neither.
    pub data: Option<JsonObject>,
    /// The lower-case hex SHA-1 of mount UUID and token, never the token.
    pub client_token: String,
    /// The token's accessor, or empty.
    pub client_token_accessor: String,
    /// The token's display name; empty during the existence check.
    pub display_name: String,
    /// The token's entity; empty during the existence check.
    pub entity_id: String,
    /// Namespace and mount path, with its trailing `/`.
    pub mount_point: Arc<str>,
    /// The mount's type.
    pub mount_type: Arc<str>,
    /// The mount's accessor.
    pub mount_accessor: Arc<str>,
    /// The headers that the mount lets through, names as they were written.
    pub headers: Vec<(String, Vec<String>)>,
    /// Where it came from; absent for internal operations.
    pub connection: Option<Connection>,
    /// Requested wrapping of the answer.
    pub wrap: Option<WrapRequest>,
    /// Whether it goes to an unauthenticated path of the engine.
    pub unauthenticated: bool,
    /// The lease that is renewed or revoked.
    pub secret: Option<Secret>,
    /// The token that is renewed.
    pub auth: Option<Auth>,
}

impl Request {
    /// The operation; a request without one reads.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation.unwrap_or(Operation::Read)
    }
}

/// Shows neither data nor headers.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("operation", &self.operation().as_str())
            .field("mount_point", &self.mount_point)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The client's address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// IP address, without the port.
    pub remote_addr: String,
    /// TCP port; 0 when there is none (a unix socket).
    pub remote_port: u16,
}
