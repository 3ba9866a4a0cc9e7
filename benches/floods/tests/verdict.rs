use std::time::Duration;

use crate::attack::Toll;
use crate::flood::{FLOODS, Flood};
use crate::measurement::Measurement;
use crate::state::State;
use crate::verdict::{MIB, complaints};
use crate::visitor::{Attempts, Latency, Visit};

fn attempts(refused: usize, milliseconds: u64) -> Attempts {
    let time = Duration::from_millis(milliseconds);
    Attempts { count: 100, refused, denied: Duration::ZERO, latency: Some(Latency { p50: time, p99: time, max: time }) }
}

fn measured(end: u64, later: u64, login: Attempts) -> Measurement {
    let state = |memory| State { memory: memory * MIB, files: 10, disk: 0 };
    let good = attempts(0, 1);
    Measurement {
        idle: state(20),
        end: state(end),
        later: state(later),
        alone: Visit { call: good, connect: good, login: good, rest: good },
        during: Visit { call: good, connect: good, login, rest: good },
        toll: Toll::default(),
        cpu: 1.0,
        disturbance: None,
    }
}

fn found(measurement: &Measurement) -> Vec<String> {
    complaints(&Flood { disk: Some(MIB), ..FLOODS[0] }, measurement)
}

#[test]
fn a_server_may_grow_and_refuse_one_attempt_of_twenty() {
    assert!(found(&measured(276, 148, attempts(5, 900))).is_empty());
    assert!(found(&measured(10, 10, attempts(0, 1))).is_empty());
}

#[test]
fn more_refusals_starve_the_visitor() {
    assert_eq!(found(&measured(20, 20, attempts(6, 1))), ["6 of 100 attempts were refused: login"]);
    let one = Attempts { count: 5, refused: 1, ..attempts(0, 1) };
    assert!(found(&measured(20, 20, one)).is_empty());
    let none = Attempts { count: 4, latency: None, ..attempts(4, 1) };
    assert_eq!(found(&measured(20, 20, none)), ["4 of 4 attempts were refused: login"]);
}

#[test]
fn a_few_attempts_that_wait_in_vain_for_long_starve_the_visitor() {
    let seconds = |denied| Attempts { denied: Duration::from_secs(denied), ..attempts(2, 1) };
    assert!(found(&measured(20, 20, seconds(3))).is_empty());
    assert_eq!(found(&measured(20, 20, seconds(4))), ["2 of 100 attempts were refused: login"]);
}

#[test]
fn long_waits_starve_the_visitor() {
    assert_eq!(found(&measured(20, 20, attempts(0, 1_500))), ["login took 1.5 s"]);
}

#[test]
fn memory_and_files_that_grow_too_much_are_told() {
    assert_eq!(found(&measured(277, 20, attempts(0, 1))), ["memory grew by 257 MiB (allowed: 256)"]);
    assert_eq!(found(&measured(200, 149, attempts(0, 1))), ["memory is still larger by 129 MiB (allowed: 128)"]);
    let mut measurement = measured(20, 20, attempts(0, 1));
    measurement.end.disk = 2 * MIB;
    assert_eq!(found(&measurement), ["the database grew by 2 MiB (allowed: 1)"]);
}
