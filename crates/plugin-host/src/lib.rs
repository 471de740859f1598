//! Runs plugins: child processes that speak the plugin protocol, watched, restricted, and replaced
//! when they end.
//!
//! | module | what it is |
//! |---|---|
//! | [`spawner`] | the one thread that forks; child processes, watched and reaped |
//! | [`launch`] | the second stage of a start: restricts itself, then becomes the plugin |
//! | [`artefact`] | the bytes that run, checked against their digest |
//! | [`directory`] | which file a command names |
//! | [`environment`] | the variables of a process, in layers |
//! | `process` | one plugin process, from its start to the moment when nothing of it is left |
//! | `deadline` | how long anything is waited for |
//! | `generation` | which running processes a new instance may join |
//! | `instance` | one mount's backend inside a process |
//! | `diagnosis` | what to do about a start that failed |
//! | `journal`, `totals` | what processes printed last, and what has happened to them |
//! | `permissions` | who owns the plugins' files, and who may write them |
//! | [`examine`] | a file started by hand, for `linchpin plugin test` |
//! | `supervise` | restarts, back-off, breaker, hung processes |
//! | `probe` | running a plugin once, at its registration |
//!
//! [`PluginHost`] is the door: the core's `BackendFactory` and `Fleet`. A binary that uses it calls
//! [`launch::main_if_requested`] first thing in its `main`.

pub mod artefact;
mod deadline;
mod diagnosis;
pub mod directory;
pub mod environment;
mod error;
pub mod examine;
mod generation;
mod host;
mod instance;
mod journal;
pub mod launch;
mod permissions;
mod phase;
mod probe;
mod process;
pub mod settings;
pub mod spawner;
mod supervise;
#[cfg(test)]
mod testing;
mod totals;

pub use directory::PluginDirectory;
pub use error::Error;
pub use host::PluginHost;
pub use settings::{FilePermissions, Settings};
