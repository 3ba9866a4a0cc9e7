//! The table: some lines for each scenario, printed as soon as they are known.

use std::time::Duration;

use crate::child::Placement;
use crate::comparison::{Row, Verdict};
use crate::measurement::{Quantiles, Slice};
use crate::scenario::Scenario;

pub(crate) fn print_head(placement: Placement) {
    if !placement.is_apart() {
        println!("Server and load share their cores, so read ratios with care: `taskset` and two");
        println!("cores are needed to keep them apart.");
    }
    println!(
        "{:<16}  {:<14}  {:>10}  {:>8}  {:>8}  {:>8}  {:>8}  verdict",
        "scenario", "server", "per second", "p50 µs", "p99 µs", "CPU µs", "memory B"
    );
}

/// What is said of a scenario that has no figures.
pub(crate) fn print_remark(scenario: &Scenario, remark: &str) {
    println!("{:<16}  {remark}", scenario.name);
}

/// The rows of one scenario; the verdicts stand behind Bolide's row and below it.
pub(crate) fn print_rows(scenario: &Scenario, rows: &[Row], verdicts: &[Verdict]) {
    for (index, row) in rows.iter().enumerate() {
        let name = if index == 0 { scenario.name } else { "" };
        let line = format!("{name:<16}  {}", figures(row));
        let is_bolide = index + 1 == rows.len();
        if is_bolide && !verdicts.is_empty() {
            print_verdicts(line, verdicts);
        } else {
            println!("{}", line.trim_end());
        }
    }
    rows.iter().for_each(print_doubts);
}

fn figures(row: &Row) -> String {
    let latency = |pick: fn(&Quantiles) -> Duration| {
        row.median(|measurement| Some(pick(measurement.latency.as_ref()?).as_secs_f64() * 1e6))
    };
    let memory = row.median(|measurement| measurement.memory_per_unit);
    format!(
        "{:<14}  {:>10.0}  {:>8}  {:>8}  {:>8.2}  {:>8}",
        row.name,
        row.median_of_slices(Slice::units_per_second),
        rounded(latency(|one| one.p50)),
        rounded(latency(|one| one.p99)),
        row.median_of_slices(Slice::cpu_microseconds_per_unit),
        rounded(memory)
    )
}

fn rounded(figure: Option<f64>) -> String {
    figure.map(|figure| format!("{figure:.0}")).unwrap_or_default()
}

fn print_verdicts(mut before: String, verdicts: &[Verdict]) {
    for verdict in verdicts {
        let word = if verdict.kept { "ok" } else { "OVER" };
        println!("{before}  {word}: {}", verdict.text);
        before = " ".repeat(before.chars().count());
    }
}

/// Says if figures are doubtful: because other programs ran on the same cores all the time, or
/// because the two ways in which the kernel counts CPU time tell different things.
fn print_doubts(row: &Row) {
    let slices = row.measurements.iter().flat_map(|measurement| &measurement.slices);
    let disturbed: Vec<_> = slices.filter(|slice| slice.is_disturbed()).collect();
    if !disturbed.is_empty() {
        let worst = disturbed.iter().map(|slice| slice.disturbance()).fold(0.0, f64::max);
        println!(
            "    {}: in {} slices other programs took a core, for {:.0} % of the time at worst",
            row.name,
            disturbed.len(),
            worst * 100.0
        );
    }
    for (exact, in_ticks) in row.measurements.iter().filter_map(|one| one.counters_differ) {
        println!("    {}: schedstat tells of {exact:?} CPU time, stat of {in_ticks:?}", row.name);
    }
}
