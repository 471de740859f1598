//! The wire, over real sockets, with a fake behind it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests"
)]

mod connections;
#[cfg(test)]
mod corpus;
mod fake;
mod golden;
mod http2;
mod wire;
