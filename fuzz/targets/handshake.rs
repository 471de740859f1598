//! The line in which a plugin says where it listens: `checks/handshake.rs` says what must hold.
#![no_main]

#[path = "../checks/handshake.rs"]
mod handshake;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    handshake::check(data);
});
