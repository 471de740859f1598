//! The fault plugin as version v1.1.0; see `fault-v1.rs`.

mod fault;

fn main() -> std::process::ExitCode {
    fault::main("v1.1.0")
}
