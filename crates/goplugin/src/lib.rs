//! The wire between a secrets server and a plugin process (`plugin-protocol` of the specification).
//!
//! | module | what it is for | pure |
//! |---|---|---|
//! | [`handshake`] | the line in which a plugin says where it listens | yes |
//! | [`log_line`] | what a plugin writes to stderr | yes |
//! | [`names`] | environment variables, magic cookies, limits | yes |
//! | [`proto`] | the protobuf messages and gRPC services, generated | yes |
//! | [`convert`] | these messages to and from the vocabulary of `linchpin-model` | yes |
//! | [`host`] | the server's side: one [`host::Connection`] a process, one [`host::Instance`] a mount | no |
//! | [`guest`] | the plugin's side, which `linchpin-plugin-sdk` is built on | no |
//!
//! Starting, watching and killing processes is not here: the host side begins with a handshake line that somebody has read
//! from a child's stdout.

pub mod convert;
#[cfg(any(feature = "host", feature = "guest"))]
mod gather;
#[cfg(feature = "host")]
mod grpc;
#[cfg(feature = "guest")]
pub mod guest;
pub mod handshake;
#[cfg(feature = "host")]
pub mod host;
#[cfg(any(feature = "host", feature = "guest"))]
mod link;
#[cfg(any(feature = "host", feature = "guest"))]
mod listen;
pub mod log_line;
pub mod names;
pub mod proto;
#[cfg(any(feature = "host", feature = "guest"))]
mod tasks;
#[cfg(any(feature = "host", feature = "guest"))]
mod timeout;

pub use handshake::{Address, Handshake, HandshakeError};
