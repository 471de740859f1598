//! Starts real servers with real plugins and talks to them over HTTP, for acceptance tests, the demo and the bench.
//!
//! Nothing of the server is linked: what is tested is the binary, as a person runs it. The same tests run against OpenBao where it has the
//! behaviour, which is how we know that a test tests what it says. A panic is how this crate reports that an expectation did not hold.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a panic with the facts is its result"
)]

pub mod chaos;
mod cli;
mod digest;
mod expect;
pub mod fault;
mod fixture;
pub mod golden;
mod leaks;
mod load;
mod plugin_dir;
mod process;
mod product;
mod run;
mod server;
mod settings;
mod store;
mod target;
mod wait;

pub use cli::Printed;
pub use digest::sha256;
pub use expect::{Expect, wrapped};
pub use fault::{Info, sleep, switch};
pub use fixture::{Fixture, binary, fixture, long_tests};
pub use leaks::Footprint;
pub use linchpin_client as client;
pub use load::{Answer, Load, LoadReport};
pub use plugin_dir::PluginDir;
pub use process::Process;
pub use product::Product;
pub use run::{run, skip};
pub use server::{Server, Signal};
pub use settings::Settings;
pub use store::Store;
pub use target::Target;
pub use wait::{PATIENCE, until, within};
