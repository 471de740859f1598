//! A plugin: say here what it is.

mod backend;

pub use backend::create;
