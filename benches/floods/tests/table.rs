use std::time::Duration;

use crate::table::{brief, mebibytes, refusals};
use crate::visitor::{Attempts, Latency, Visit};

const GOOD: Attempts = Attempts {
    count: 40,
    refused: 0,
    denied: Duration::ZERO,
    latency: Some(Latency {
        p50: Duration::from_micros(340),
        p99: Duration::from_micros(9_960),
        max: Duration::from_micros(1_234_567),
    }),
};

#[test]
fn latencies_are_told_in_milliseconds() {
    assert_eq!(brief(&GOOD), "0.3/10/1235");
    assert_eq!(brief(&Attempts { latency: None, ..GOOD }), "none");
}

#[test]
fn only_refused_kinds_are_told() {
    let mut visit = Visit { call: GOOD, connect: GOOD, login: GOOD, rest: GOOD };
    assert_eq!(refusals(&visit), "0");
    visit.connect.refused = 3;
    visit.rest.refused = 40;
    assert_eq!(refusals(&visit), "connect 3/40, REST 40/40");
}

#[test]
fn memory_is_rounded() {
    assert_eq!([mebibytes(0), mebibytes((1 << 20) * 3 / 2), mebibytes(700 << 20)], [0, 2, 700]);
}
