//! Whatever a plugin asks of its storage and of the node: `checks/callbacks.rs` says what must hold.
#![no_main]

#[path = "../checks/callbacks.rs"]
mod callbacks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    callbacks::check(data);
});
