//! Runs the fuzzer's corpus through the functions that the fuzzer runs, so that bugs it found stay fixed.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/checks/client_message.rs"]
mod client_message;
#[path = "../../fuzz/checks/document_id.rs"]
mod document_id;
#[path = "../../fuzz/checks/ejson_decode.rs"]
mod ejson_decode;
#[path = "../../fuzz/checks/ejson_round_trip.rs"]
mod ejson_round_trip;
#[path = "../../fuzz/checks/sockjs_frames.rs"]
mod sockjs_frames;

fn check_corpus(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        check(&fs::read(seed.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

#[test]
fn any_text_is_decoded_or_rejected() {
    check_corpus("ejson_decode", ejson_decode::ejson_decode);
}

#[test]
fn any_value_survives_its_text() {
    check_corpus("ejson_round_trip", ejson_round_trip::ejson_round_trip);
}

#[test]
fn any_document_id_survives_the_wire() {
    check_corpus("document_id", document_id::document_id);
}

#[test]
fn any_frame_is_parsed_or_rejected() {
    check_corpus("client_message", client_message::client_message);
}

#[test]
fn any_sockjs_frame_is_parsed_or_rejected() {
    check_corpus("sockjs_frames", sockjs_frames::sockjs_frames);
}
