//! Prints tables.

use std::time::Duration;

/// Prints a title and the names of the columns, in Markdown.
pub(crate) fn title(title: &str, columns: &[&str]) {
    println!("\n{title}\n");
    row(&columns.iter().map(ToString::to_string).collect::<Vec<_>>());
    row(&columns.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
}

pub(crate) fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Returns a number with separators.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

pub(crate) fn time(time: Duration) -> String {
    let microseconds = time.as_secs_f64() * 1e6;
    match microseconds {
        0.0..100.0 => format!("{microseconds:.1} µs"),
        100.0..10_000.0 => format!("{microseconds:.0} µs"),
        _ => format!("{:.1} ms", microseconds / 1e3),
    }
}
