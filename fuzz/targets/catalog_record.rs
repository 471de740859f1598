//! Stored catalog entries and pins: `checks/catalog_record.rs` says what must hold.
#![no_main]

#[path = "../checks/catalog_record.rs"]
mod catalog_record;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    catalog_record::check(data);
});
