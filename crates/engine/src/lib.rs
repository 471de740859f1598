//! What an engine is to Linchpin.
//!
//! A built-in engine, a Rust plugin and a Go plugin are the same [`Backend`] to the core (design
//! §2, rule 8). This crate holds that trait, the [`path`] tables that most engines are written
//! with, and every call back from an engine to the node: [`StorageView`], [`SystemView`]. The
//! core gets engines from a [`BackendFactory`] and looks at running plugins through a [`Fleet`].

mod backend;
mod context;
mod error;
mod factory;
mod fleet;
pub mod path;
mod storage;
mod system;

pub use backend::{Backend, BoxFuture, Health, SpecialPaths};
pub use context::{Cancelled, Context, Namespace};
pub use error::{Error, Shape};
pub use factory::{
    BackendFactory, Captured, Joining, MountInfo, PluginSource, Prepare, Prepared, Running,
};
pub use fleet::{
    FileFacts, Fleet, InstanceState, InstanceStatus, LogLine, PluginTotals, Probe, ProcessStatus,
};
pub use storage::{Access, Page, StorageEntry, StorageError, StorageView, Transaction, transact};
pub use system::{ClusterInfo, PluginEnvironment, ReplicationState, SystemView};
