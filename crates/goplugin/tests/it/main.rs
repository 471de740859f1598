//! Both sides of the wire in one process: a host and a plugin that are really connected, by sockets and TLS.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod callbacks;
mod calls;
#[cfg(test)]
mod corpus;
mod guest_checks;
mod guest_host;
mod pair;
mod peers;
mod store;
