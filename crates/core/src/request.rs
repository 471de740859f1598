//! A client's request as it enters the pipeline: canonical path, decoded body, the token still
//! in it.

use linchpin_model::{Connection, JsonObject, Operation, WrapRequest};
use std::fmt;

/// What a surface (HTTP, the UI) hands to [`crate::Core::handle`].
#[derive(Default)]
pub struct ClientRequest {
    /// What is asked; POST and PUT are `Update`. `None` reads.
    pub operation: Option<Operation>,
    /// The canonical path (`linchpin_model::request_path`) without `/v1/`; for a list it ends
    /// with `/`.
    pub path: String,
    /// The body, or the query parameters of a read, list or delete.
    pub data: Option<JsonObject>,
    /// The token, as it was sent.
    pub token: Option<String>,
    /// All request headers, names as they were written; the pipeline passes on what a mount
    /// allows.
    pub headers: Vec<(String, String)>,
    /// Where it came from.
    pub connection: Option<Connection>,
    /// Requested wrapping.
    pub wrap: Option<WrapRequest>,
}

impl ClientRequest {
    /// The operation.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation.unwrap_or(Operation::Read)
    }
}

/// Shows neither token nor data nor headers.
impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("operation", &self.operation().as_str())
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
