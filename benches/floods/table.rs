//! The table: a row for each flood and server, printed as soon as it is known.

use std::time::Duration;

use crate::child::Placement;
use crate::comparison::Contestant;
use crate::flood::Flood;
use crate::measurement::Measurement;
use crate::visitor::{Attempts, Visit};

/// More than this share of the time in other programs' hands makes figures doubtful.
const TOLERABLE_DISTURBANCE: f64 = 0.05;

const COLUMNS: usize = 12;
const TITLES: [&str; COLUMNS] = [
    "flood",
    "server",
    "memory MiB",
    "open files",
    "database MiB",
    "CPU %",
    "call ms",
    "connect ms",
    "login ms",
    "REST ms",
    "refused",
    "sent (refused)",
];
const WIDTHS: [usize; COLUMNS] = [16, 6, 15, 15, 12, 5, 25, 25, 25, 25, 35, 15];

pub(crate) fn print_head(placement: Placement) {
    if !placement.is_apart() {
        println!("Server and clients share their cores, so read latencies with care: `taskset` and two");
        println!("cores are needed to keep them apart.");
    }
    println!("Memory and files: idle, at the end of the flood, later. Database: its growth. CPU: of one core.");
    println!("Latencies: p50/p99/max of another client, on an idle server → during the flood. Refused: its attempts.");
    println!("{}", line(&TITLES.map(str::to_owned)));
    println!("{}", line(&WIDTHS.map(|width| "-".repeat(width))));
}

/// What is said of a flood that has no figures.
pub(crate) fn print_remark(flood: &Flood, contestant: Contestant, remark: &str) {
    println!("| {:<16} | {:<6} | {remark}", flood.name, contestant.name());
}

pub(crate) fn print_row(flood: &Flood, contestant: Contestant, measurement: &Measurement, complaints: &[String]) {
    println!("{}", line(&cells(flood, contestant, measurement)));
    for complaint in complaints {
        println!("    NOT BORNE: {complaint}");
    }
    if let Some(disturbance) = measurement.disturbance
        && disturbance > TOLERABLE_DISTURBANCE
    {
        println!("    other programs took the server's core for {:.0} % of the time", disturbance * 100.0);
    }
}

fn line(cells: &[String; COLUMNS]) -> String {
    let cells = cells.iter().zip(WIDTHS).map(|(cell, width)| format!(" {cell:<width$} |"));
    format!("|{}", cells.collect::<String>())
}

fn cells(flood: &Flood, contestant: Contestant, measurement: &Measurement) -> [String; COLUMNS] {
    let Measurement { idle, end, later, alone, during, toll, cpu, .. } = measurement;
    let latency = |kind: fn(&Visit) -> &Attempts| format!("{} → {}", brief(kind(alone)), brief(kind(during)));
    [
        flood.name.to_owned(),
        contestant.name().to_owned(),
        format!("{}, {}, {}", mebibytes(idle.memory), mebibytes(end.memory), mebibytes(later.memory)),
        format!("{}, {}, {}", idle.files, end.files, later.files),
        format!("{:.1}", end.disk.saturating_sub(idle.disk) as f64 / f64::from(1 << 20)),
        format!("{:.0}", cpu * 100.0),
        latency(|visit| &visit.call),
        latency(|visit| &visit.connect),
        latency(|visit| &visit.login),
        latency(|visit| &visit.rest),
        refusals(during),
        format!("{} ({})", toll.sent, toll.refused),
    ]
}

pub(crate) fn mebibytes(bytes: u64) -> u64 {
    (bytes + (1 << 19)) >> 20
}

/// The latencies of attempts in milliseconds.
pub(crate) fn brief(attempts: &Attempts) -> String {
    match attempts.latency {
        Some(latency) => [latency.p50, latency.p99, latency.max].map(milliseconds).join("/"),
        None => "none".to_owned(),
    }
}

fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    if milliseconds < 9.95 { format!("{milliseconds:.1}") } else { format!("{milliseconds:.0}") }
}

/// How many attempts of which kind were refused.
pub(crate) fn refusals(visit: &Visit) -> String {
    let kinds = visit.kinds().into_iter().filter(|(_, attempts)| attempts.refused > 0);
    let told: Vec<_> = kinds.map(|(kind, one)| format!("{kind} {}/{}", one.refused, one.count)).collect();
    if told.is_empty() { "0".to_owned() } else { told.join(", ") }
}
