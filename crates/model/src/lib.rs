//! The vocabulary of Linchpin: names, paths, requests, responses, envelopes and error kinds.
//!
//! This crate is pure: no I/O, no clock, no async. Every other crate may depend on it, so it
//! stays small, and nothing in it knows HTTP, a store, or a plugin process.

mod chain;
pub mod duration;
pub mod envelope;
mod error_kind;
mod json;
mod operation;
mod path;
mod plugin;
mod request;
mod response;
mod version;

pub use chain::chain;
pub use error_kind::ErrorKind;
pub use json::{JsonError, JsonObject};
pub use operation::Operation;
pub use path::{MountPath, PathError, request_path};
pub use plugin::{DeprecationStatus, Execution, ParseError, PluginEntry, PluginType, Sha256};
pub use request::{Connection, Request};
pub use response::{Auth, Lease, RawBody, Response, Secret, WrapRequest};
pub use version::{PluginVersion, VersionError};

/// The Vault API level that we serve, then our own version: what `sys/health`,
/// `sys/seal-status` and the environment of a plugin report (design §3).
///
/// Clients gate features on it, and no word of the metadata may contain `ent`
/// (clients take that for Enterprise).
pub const SERVER_VERSION: &str = concat!("1.21.0+linchpin.", env!("CARGO_PKG_VERSION"));

/// The version that every built-in engine reports (design §3, plugin-lifecycle §1.4).
pub const BUILTIN_VERSION: &str = "v1.21.0+builtin.linchpin";
