//! Feeds the fuzzer's bytes to `checks::document_id`.

#![no_main]

#[path = "../checks/document_id.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::document_id(input));
