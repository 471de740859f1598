//! What Linchpin decides about plugins: which versions exist, which one a mount runs, and how a fleet moves from one
//! to the next (plugin-lifecycle §§1-5, design §4).
//!
//! The crate is pure. It reads no file, starts no process and knows no clock; what it must know about the world
//! (whether a directory is configured, what a file hashes to, which mounts use an entry) comes in as an argument.
//! [`Catalog`] is an immutable snapshot: a writer makes the next one, stores it durably, and then publishes it.
//! Every refusal is an [`Error`] whose text is Vault's where Vault has one.
//!
//! | question | where |
//! |---|---|
//! | what is there? | [`Catalog::lookup`], [`Catalog::read`], [`Catalog::names`], [`Catalog::detailed`] |
//! | may this be registered? | [`Registration::check`], then [`Draft::complete`] |
//! | what does this delete remove? | [`Catalog::deregister`] |
//! | which runtimes of container plugins are there, may this one go? | [`Runtime`], [`Catalog::check_runtime_removal`] |
//! | which version does a mount store, and run? | [`Catalog::choose`], [`Catalog::run`] |
//! | join a running generation, or start one? | [`joining`] |
//! | which mounts may move now? | [`Rollout`] |

mod deregister;
mod error;
pub mod joining;
pub mod name;
mod pin;
mod registration;
mod rollout;
mod runtime;
mod selection;
mod snapshot;
pub mod warnings;

pub use deregister::{Deregistration, InUse, check_in_use};
pub use error::{Error, Shape};
pub use pin::Pin;
pub use registration::{
    Containers, Draft, Facts, Registration, check_entry, check_overwrite, check_reported,
};
pub use rollout::Rollout;
pub use runtime::Runtime;
pub use selection::{is_wired, without_alias};
pub use snapshot::{Builtin, Catalog, Detail, EntryId, Read, Resolved};
