//! `sys/` on a whole node in memory: what is asked goes through the pipeline, what is answered is
//! what HTTP would render. Plugins are engines of this binary that say they are external.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only functions marked as tests for tests"
)]

mod mounts;
mod node;
mod plugins;
mod state;
