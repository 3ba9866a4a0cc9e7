//! Feeds the fuzzer's bytes to `checks::sockjs_frames`.

#![no_main]

#[path = "../checks/sockjs_frames.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::sockjs_frames(input));
