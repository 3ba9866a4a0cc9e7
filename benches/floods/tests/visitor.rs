use std::time::{Duration, Instant};

use crate::latencies::Latencies;
use crate::visitor::{Latency, repeat, summary};

#[test]
fn refusals_are_counted_and_have_no_latency() {
    let mut number = 0;
    let attempts = repeat(Instant::now() + Duration::from_secs(1), Duration::from_millis(200), || {
        number += 1;
        if number == 1 { Err("no".into()) } else { Ok(Duration::from_millis(number)) }
    });
    assert_eq!((attempts.refused, attempts.count as u64), (1, number));
    assert_eq!(attempts.latency.unwrap().max, Duration::from_millis(number));
}

#[test]
fn attempts_that_were_all_refused_have_no_latency() {
    assert_eq!(summary(Latencies::default()), None);
}

#[test]
fn latencies_are_summed_up_by_their_quantiles() {
    let latencies = Latencies((1..=200).rev().map(Duration::from_millis).collect());
    let [p50, p99, max] = [100, 198, 200].map(Duration::from_millis);
    assert_eq!(summary(latencies), Some(Latency { p50, p99, max }));
}
