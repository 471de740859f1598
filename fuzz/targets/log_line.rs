//! What a plugin writes to stderr: `checks/log_line.rs` says what must hold.
#![no_main]

#[path = "../checks/log_line.rs"]
mod log_line;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    log_line::check(data);
});
