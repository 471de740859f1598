//! The acceptance tests: black boxes over HTTP against the real binaries.
//!
//! A test named `case_NN_…` is that case of plugin-lifecycle §12. Its function runs against Linchpin and, where OpenBao has the behaviour,
//! against OpenBao as well (`cases!`); where the two differ (§13) the function says so with [`Product::pick`] or `is_ours`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends with a panic where it is wrong"
)]

mod better;
mod catalog;
mod chaos;
mod chaos_fleet;
mod chaos_load;
mod chaos_operator;
mod chaos_verdict;
mod command_line;
mod coverage;
mod fault_matrix;
mod fault_matrix_cells;
mod fault_matrix_watch;
mod go_plugins;
mod lifecycle_better;
mod lifecycle_catalog;
mod lifecycle_dev;
mod lifecycle_runtimes;
mod mutants;
mod our_command_line;
mod overlap;
mod pins;
mod plugin_test;
mod processes;
mod reload;
mod sdk_in_openbao;
mod selection;
mod sight;
mod storage;
mod terraform;
mod unavailable;
mod under_load;
mod upgrades;
