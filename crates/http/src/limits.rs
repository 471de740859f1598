//! What one client may ask of the server.

use std::time::Duration;

/// The limits of design §3, and those of connections. All are configurable.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest body, in bytes; beyond it 413.
    pub body: usize,
    /// All bodies together that are being read or belong to a request under way, in bytes; beyond it 503. A quarter is
    /// kept for small bodies, and one of the largest size always fits.
    pub bodies: usize,
    /// All headers of one request together, in bytes; beyond it 431 or a closed connection.
    pub headers: usize,
    /// How deep a JSON body may be nested.
    pub json_depth: usize,
    /// The longest string of a JSON body to `sys/` and `identity/`, in bytes. Elsewhere a path may
    /// be a kv engine or a plugin, whose strings only the body's limit bounds.
    pub json_string: usize,
    /// How long one request may take, from its headers to its answer.
    pub request: Duration,
    /// How long the headers of a request may take to arrive, and a new connection to say anything.
    pub header_read: Duration,
    /// How long a connection is kept without a request, or without progress of an answer.
    pub idle: Duration,
    /// How many connections there are at once; further ones wait to be accepted.
    pub connections: usize,
    /// How long running requests have at shutdown before they are cancelled.
    pub drain: Duration,
    /// How long cancelled requests have at shutdown before their connections are closed.
    pub abandon: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 32 << 20,
            bodies: 512 << 20,
            headers: 1 << 20,
            json_depth: 300,
            json_string: 1 << 20,
            request: Duration::from_secs(90),
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            connections: 8192,
            drain: Duration::from_secs(30),
            abandon: Duration::from_secs(5),
        }
    }
}
