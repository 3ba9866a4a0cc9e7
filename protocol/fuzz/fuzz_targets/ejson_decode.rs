//! Feeds the fuzzer's bytes to `checks::ejson_decode`.

#![no_main]

#[path = "../checks/ejson_decode.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::ejson_decode(input));
