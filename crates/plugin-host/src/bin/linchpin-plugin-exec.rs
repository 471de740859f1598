//! The launcher by itself, for this crate's tests: they run inside the test harness, whose own
//! `main` does not call [`linchpin_plugin_host::launch::main_if_requested`].

fn main() {
    linchpin_plugin_host::launch::main_if_requested();
}
