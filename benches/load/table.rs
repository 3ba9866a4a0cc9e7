//! The table: two lines or three for each scenario, printed as soon as they are known.

use crate::child::Placement;
use crate::comparison::{Row, Verdict};
use crate::measurement::Measurement;
use crate::scenario::Scenario;

pub(crate) fn print_head(placement: Placement) {
    if !placement.is_apart() {
        println!("Server and load share their cores, so read ratios with care: `taskset` and two");
        println!("cores are needed to keep them apart.");
    }
    println!(
        "{:<16}  {:<15}  {:>10}  {:>9}  {:>9}  {:>8}  {:>8}  verdict",
        "scenario", "server", "per second", "p50 µs", "p99 µs", "CPU µs", "memory B"
    );
}

pub(crate) fn scenario_cell(scenario: &Scenario) -> String {
    format!("{:<16}", scenario.name)
}

/// The rows of one scenario; what is said of Bolide stands behind its row and, if need be, below.
pub(crate) fn print_rows(scenario: &Scenario, rows: &[Row], verdicts: &[Verdict]) {
    for (index, row) in rows.iter().enumerate() {
        let name = if index == 0 { scenario.name } else { "" };
        let line = format!("{name:<16}  {}", figures(row));
        if index + 1 < rows.len() {
            println!("{}", line.trim_end());
            continue;
        }
        let mut before = line;
        for verdict in verdicts {
            let word = if verdict.kept { "ok" } else { "OVER" };
            println!("{before}  {word}: {}", verdict.text);
            before = " ".repeat(before.chars().count());
        }
    }
    warn_of_counters(rows);
}

fn figures(row: &Row) -> String {
    let p50 = row.median(|measurement| measurement.latency.p50.as_secs_f64() * 1e6);
    let p99 = row.median(|measurement| measurement.latency.p99.as_secs_f64() * 1e6);
    let memory = if row
        .measurements
        .iter()
        .any(|one| one.memory_per_unit.is_some())
    {
        format!(
            "{:.0}",
            row.median(|one| one.memory_per_unit.unwrap_or_default())
        )
    } else {
        String::new()
    };
    format!(
        "{:<15}  {:>10.0}  {:>9.0}  {:>9.0}  {:>8.2}  {:>8}",
        row.name,
        row.median(Measurement::units_per_second),
        p50,
        p99,
        row.median(Measurement::cpu_microseconds_per_unit),
        memory
    )
}

/// The kernel counts CPU time in two ways; if they tell different things, neither is to be believed.
fn warn_of_counters(rows: &[Row]) {
    for row in rows {
        for measurement in row.measurements.iter().filter(|one| !one.counters_agree()) {
            println!(
                "    {}: schedstat says {:?} of CPU, stat {:?}",
                row.name, measurement.server_cpu, measurement.server_cpu_in_ticks
            );
        }
    }
}
