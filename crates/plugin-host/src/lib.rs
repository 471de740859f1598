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

pub mod artefact;
pub mod directory;
pub mod environment;
mod error;
pub mod launch;
pub mod spawner;
#[cfg(test)]
mod testing;

pub use directory::PluginDirectory;
pub use error::Error;
