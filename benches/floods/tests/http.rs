use crate::http::{Statuses, request};

const ANSWERS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 429 Too Many\r\n\r\nHTTP/1.1 503";

fn statuses(pieces: &[&[u8]]) -> Vec<u16> {
    let mut statuses = Statuses::default();
    let mut found = vec![];
    for piece in pieces {
        statuses.take(piece, |status| found.push(status));
    }
    found
}

#[test]
fn each_answer_is_counted_once() {
    assert_eq!(statuses(&[ANSWERS]), [200, 429, 503]);
}

#[test]
fn answers_are_found_wherever_the_stream_is_cut() {
    for first in 0..ANSWERS.len() {
        for second in first..ANSWERS.len() {
            let pieces = [&ANSWERS[..first], &ANSWERS[first..second], &ANSWERS[second..]];
            assert_eq!(statuses(&pieces), [200, 429, 503], "cut at {first} and {second}");
        }
    }
}

#[test]
fn a_request_says_how_long_its_body_is() {
    let text = request("POST", "/a", "x-one: 1\r\n", "{}");
    assert!(text.starts_with("POST /a HTTP/1.1\r\n"), "{text}");
    assert!(text.ends_with("content-length: 2\r\nx-one: 1\r\n\r\n{}"), "{text}");
}
