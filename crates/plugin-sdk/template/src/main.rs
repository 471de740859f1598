//! The process: everything it does is in the library, where tests reach it.

use linchpin_plugin_sdk::prelude::*;

fn main() -> std::process::ExitCode {
    serve(Options::new(version!()), |setup| async move {
        my_plugin::create(&setup)
    })
}
