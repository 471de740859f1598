//! Whatever a plugin answers, up to the HTTP answer that is made of it: `checks/plugin_answers.rs` says what must hold.
#![no_main]

#[path = "../checks/plugin_answers.rs"]
mod plugin_answers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    plugin_answers::check(data);
});
