//! The server's side of the wire: one [`Connection`] a plugin process, one [`Instance`] a mount in it.
//!
//! ```text
//! Connection ── main socket, host → plugin: Backend, PluginVersion, Health, broker, stdio, Shutdown
//!   ├─ Instance A ── its own socket, plugin → host: Storage and SystemView of mount A
//!   └─ Instance B ── its own socket, plugin → host: Storage and SystemView of mount B
//! ```
//!
//! Nothing on an instance's socket says which mount it is: the socket itself does. A storage view is bound to a listener when the
//! listener is made, and to nothing that a plugin sends (plugin-protocol §3.12).

mod broker;
mod callbacks;
mod connection;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod instance;
mod storage;
mod system;
mod transactions;

pub use connection::{Connection, Open, OutputSink, Stream};
pub use error::Error;
pub use instance::{Instance, Setup};
