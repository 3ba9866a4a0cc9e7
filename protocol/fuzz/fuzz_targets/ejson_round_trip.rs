//! Feeds the fuzzer's bytes to `checks::ejson_round_trip`.

#![no_main]

#[path = "../checks/ejson_round_trip.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::ejson_round_trip(input));
