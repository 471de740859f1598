//! The binary: configuration, then the parts, then run. The only crate that knows everything.

mod config;

fn main() {}
