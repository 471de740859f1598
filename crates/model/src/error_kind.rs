//! What kind of failure an error is: all that upper layers match on.

/// The kind of a failure. `http` alone turns it into a status code (core-api §1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller asked for something that cannot be: 400.
    InvalidRequest,
    /// The token was not accepted, or its policies do not allow the operation: 403.
    PermissionDenied,
    /// Nothing is there: 404.
    NotFound,
    /// The path exists, not for this operation: 405.
    UnsupportedOperation,
    /// The body is over its limit: 413.
    TooLarge,
    /// PATCH with another media type than merge-patch: 415.
    UnsupportedMediaType,
    /// A quota: 429.
    RateLimited,
    /// The handler failed: 500.
    Internal,
    /// Something behind an engine limits us: 502.
    Upstream,
    /// Sealed, starting, degraded, full queue, open circuit breaker, shutting down: 503, and a
    /// repetition is wanted.
    Unavailable,
    /// A status that a plugin chose itself (plugin-protocol §3.8, coded error).
    Coded(u16),
}
