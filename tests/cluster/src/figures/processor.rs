//! The processor time of processes.

use std::time::Duration;

/// Returns the processor time that the threads of a process have used: `schedstat` counts nanoseconds.
pub(super) fn time(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let used = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
}

/// Returns the processor time of each of so many items, in microseconds.
pub(super) fn of_each(before: Duration, after: Duration, count: u32) -> f64 {
    after.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(count)
}

/// Returns the median.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
