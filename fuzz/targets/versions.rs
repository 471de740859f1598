//! Versions of plugins: `checks/versions.rs` says what must hold.
#![no_main]

#[path = "../checks/versions.rs"]
mod versions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    versions::check(data);
});
