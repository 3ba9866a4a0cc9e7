//! Feeds the fuzzer's bytes to `checks::client_message`.

#![no_main]

#[path = "../checks/client_message.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::client_message(input));
