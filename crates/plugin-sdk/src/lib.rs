//! Write a plugin for Linchpin, Vault or OpenBao in Rust.
//!
//! A plugin is a type of yours, a [`Builder`] that says which paths it has, and a `main` of one line. This one keeps a name and greets it:
//!
//! ```no_run
//! use linchpin_plugin_sdk::prelude::*;
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! struct Greeter {
//!     storage: Storage,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Person {
//!     name: String,
//!     #[serde(default)]
//!     polite: bool,
//! }
//!
//! impl Greeter {
//!     async fn write(&self, ctx: &Context, call: Call) -> Answer {
//!         let person: Person = call.fields.decode()?;
//!         self.storage.put(ctx, &person.name, &person).await?;
//!         reply::nothing()
//!     }
//!
//!     async fn greet(&self, ctx: &Context, call: Call) -> Answer {
//!         let Some(person) = self.storage.get::<Person>(ctx, call.fields.text("name")).await? else {
//!             return reply::nothing();
//!         };
//!         let word = if person.polite { "Good day" } else { "Hello" };
//!         reply::data(&json!({"greeting": format!("{word}, {}!", person.name)}))
//!     }
//! }
//!
//! fn backend(setup: &Setup) -> Result<Backend<Greeter>, Error> {
//!     let storage = Storage::of(setup);
//!     Backend::secrets("Greets people.", storage.clone(), Greeter { storage })
//!         .path(
//!             PathSpec::new("people/{name}", "A person.")
//!                 .field("polite", FieldType::Bool, "Whether to greet politely.")
//!                 .write(Greeter::write)
//!                 .read(Greeter::greet),
//!         )
//!         .build()
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     serve(Options::new(version!()), |setup| async move { backend(&setup) })
//! }
//! ```
//!
//! From the table fall out validation, help, the OpenAPI document, and the answers to paths and operations that a plugin does not have.
//! Everything else is added where it is needed:
//!
//! | what | where |
//! |---|---|
//! | typed storage, pages, transactions | [`Storage`] |
//! | secrets with a lease, renewed and revoked | [`SecretType`], [`Builder::revoke`], [`Builder::renew`], [`Held`] |
//! | undoing what a crash interrupted | [`Wal`], [`Builder::undo`] |
//! | work once a minute | [`Builder::periodic`] |
//! | data, lists, raw bodies, warnings, headers | [`reply`] |
//! | entities, groups, passwords, wrapping, events of the server | [`host`] |
//! | log records that servers understand | [`log`] |
//! | passwords, UUIDs, random bytes | [`random`] |
//! | tests without a server | [`testing`] |
//!
//! # What a plugin must know about where it runs
//!
//! - It is made without configuration and without working storage when a server probes it: the function given to [`serve`] succeeds then,
//!   too. Storage can be read from Setup on and written from [`Builder::initialize`] on.
//! - Requests run concurrently. No lock is held while storage is called: a write may wait for another request.
//! - Nothing is ever printed to stdout; it belongs to the handshake. Logs go to stderr, through [`log`].
//! - Numbers above 2⁵³ do not survive a Go server: carry them as strings.
//! - A request that nobody waits for is cancelled by its [`engine::Context`]; the work is never dropped in the middle. When the server says
//!   how long it waits, that is the context's `deadline`, and at it the server has its answer, without the work's. Some servers say nothing.

mod backend;
mod builder;
mod hook;
pub mod host;
mod lease;
pub mod reply;
mod serve;
mod storage;
pub mod testing;
mod wal;

pub use linchpin_engine as engine;
pub use linchpin_goplugin::guest::{Setup, log, random};
pub use linchpin_goplugin::log_line::Level;
pub use linchpin_model as model;

pub use backend::Backend;
pub use builder::Builder;
pub use hook::AsyncHook;
pub use lease::{Held, SecretType};
pub use serve::{Options, serve};
pub use storage::{Storage, Tx};
pub use wal::{Wal, WalEntry, WalId};

/// What most plugins use: `use linchpin_plugin_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::engine::path::{Answer, Call, FieldType, PathSpec};
    pub use crate::engine::{Context, Error, SystemView};
    pub use crate::model::{Operation, Response, Secret};
    pub use crate::reply::{self, AnswerExt as _};
    pub use crate::{
        Backend, Builder, Held, Options, SecretType, Setup, Storage, Wal, WalEntry, log, serve,
        version,
    };
}

/// The version of the crate that this is written in, as servers want it: with a leading `v`.
#[macro_export]
macro_rules! version {
    () => {
        concat!("v", env!("CARGO_PKG_VERSION"))
    };
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
