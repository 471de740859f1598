//! Bodies of requests: `checks/json_body.rs` says what must hold.
#![no_main]

#[path = "../checks/json_body.rs"]
mod json_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    json_body::check(data);
});
