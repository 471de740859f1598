//! The Vault wire format over HTTP/1.1 and HTTP/2.
//!
//! [`Server`] accepts connections, turns each request into a `ClientRequest` and each outcome into
//! an answer (core-api §1, plugin-lifecycle §0). It decides nothing: tokens, policies, mounts and
//! engines are behind the one call of [`Handler`]. This is the only crate that knows status codes
//! and headers, and `error.rs` is the only place that maps a kind of failure to a status.
//!
//! ```text
//!  socket ─► server (accept, drain) ─► connection (time limits) ─► exchange ─► request, body
//!                                                                     │
//!  socket ◄─ response, error ◄──────────────────────────────── Handler::handle
//! ```

mod body;
mod budget;
mod connection;
mod error;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod limits;
mod request;
mod response;
mod server;

pub use error::status;
pub use handler::Handler;
pub use limits::Limits;
pub use server::Server;
