//! The fault plugin of `plugin-sdk` for this crate's tests, which are run together with a package's
//! own examples only.

#[path = "../../plugin-sdk/examples/fault/mod.rs"]
mod fault;

fn main() -> std::process::ExitCode {
    fault::main("v1.0.0")
}
