//! How the server logs: levels and formats by Vault's names, and what must never be in a log.
//!
//! The binary calls [`init`] once, and [`flush`] at its end. Everything else only uses `tracing`'s macros, and
//! [`redact`] for values that come from outside.

mod level;
mod queue;
pub mod redact;
mod setup;

pub use level::{Format, Level, ParseError};
pub use setup::{InitError, Options, flush, init, subscriber, wants_colour};
