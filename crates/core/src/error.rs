//! Why the node did not answer a request.

use linchpin_model::ErrorKind;
use std::time::Duration;

/// What [`crate::Core::handle`] fails with. `http` alone turns it into a status and a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The barrier is sealed. The word `Vault` is literal: clients match it (core-api §1.11).
    #[error("Vault is sealed")]
    Sealed,
    /// The server is stopping and takes no new requests.
    #[error("server is shutting down")]
    ShuttingDown,
    /// The token was not accepted: missing, unknown (core-api, `PD`).
    #[error("permission denied")]
    TokenNotAccepted,
    /// No mount serves the path.
    #[error("no handler for route \"{0}\". route entry not found.")]
    NoRoute(String),
    /// A namespace that does not exist.
    #[error("namespace not found")]
    NoNamespace,
    /// The task that ran the request ended without an answer.
    #[error("internal error")]
    TaskFailed,
    /// What a start needs of storage could not be read or written.
    #[error("start: {0}")]
    Start(&'static str, #[source] linchpin_engine::StorageError),
    /// The store holds data already; opening it comes with a later release.
    #[error("the storage is not empty: opening existing data is not supported yet")]
    NotEmpty,
    /// The engine, or a stage on its behalf, refused or failed.
    #[error(transparent)]
    Engine(#[from] linchpin_engine::Error),
}

impl Error {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sealed | Self::ShuttingDown => ErrorKind::Unavailable,
            Self::TokenNotAccepted => ErrorKind::PermissionDenied,
            Self::NoRoute(_) | Self::NoNamespace => ErrorKind::NotFound,
            Self::TaskFailed | Self::Start(..) | Self::NotEmpty => ErrorKind::Internal,
            Self::Engine(error) => error.kind(),
        }
    }

    /// When the caller may try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ShuttingDown => Some(Duration::from_secs(1)),
            Self::Engine(error) => error.retry_after(),
            _ => None,
        }
    }
}
