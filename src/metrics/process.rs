//! The process, as far as Linux tells it below `/proc`. The names are those of Prometheus' own libraries. Elsewhere, the metrics
//! have no samples.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use super::page::{Family, Page};

/// The unit of times below `/proc`: a hundredth of a second, on all machines that Linux supports now.
const TICKS_A_SECOND: f64 = 100.0;

/// What the system tells of the process. `None` where it does not.
#[derive(Debug, Default)]
pub(super) struct Process {
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    open_files: Option<usize>,
    max_files: Option<u64>,
    cpu_seconds: Option<f64>,
    start_seconds: Option<f64>,
}

/// Reads it on another thread, since the list of open files may be long.
pub(super) async fn read() -> Process {
    tokio::task::spawn_blocking(|| read_below(Path::new("/proc"))).await.unwrap_or_default()
}

pub(super) fn write(process: &Process, page: &mut Page) {
    let Process { resident_bytes, virtual_bytes, open_files, max_files, cpu_seconds, start_seconds } = process;
    sample(page.counter("process_cpu_seconds", "The processor time that the process has used."), *cpu_seconds);
    sample(page.gauge("process_resident_memory_bytes", "The memory of the process that is in use."), *resident_bytes);
    sample(page.gauge("process_virtual_memory_bytes", "The size of the address space of the process."), *virtual_bytes);
    sample(page.gauge("process_open_fds", "The number of open file descriptors."), *open_files);
    sample(page.gauge("process_max_fds", "The maximum number of open file descriptors."), *max_files);
    sample(page.gauge("process_start_time_seconds", "When the process was started, since 1970."), *start_seconds);
}

fn sample(mut family: Family<'_>, value: Option<impl Display>) {
    if let Some(value) = value {
        family.sample(&[], value);
    }
}

fn read_below(proc: &Path) -> Process {
    let text = |path: &str| fs::read_to_string(proc.join(path)).unwrap_or_default();
    let (status, limits, stat) = (text("self/status"), text("self/limits"), text("self/stat"));
    // The name of the program, in parentheses, may contain spaces.
    let fields: Vec<f64> = stat.rsplit(')').next().map(numbers).unwrap_or_default();
    let booted = line_of(&text("stat"), "btime").and_then(|rest| rest.trim().parse::<f64>().ok());
    let ticks = |field: usize| fields.get(field).map(|ticks| ticks / TICKS_A_SECOND);
    Process {
        resident_bytes: kilobytes(&status, "VmRSS:"),
        virtual_bytes: kilobytes(&status, "VmSize:"),
        open_files: fs::read_dir(proc.join("self/fd")).ok().map(Iterator::count),
        max_files: line_of(&limits, "Max open files").and_then(|rest| rest.split_whitespace().next()?.parse().ok()),
        // The first field after the name is the state, the third of all.
        cpu_seconds: ticks(11).zip(ticks(12)).map(|(user, system)| user + system),
        start_seconds: booted.zip(ticks(19)).map(|(booted, since)| booted + since),
    }
}

/// Returns the fields of a line, with zero for those that are no number.
fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect()
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let number: u64 = line_of(status, name)?.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

/// Returns the rest of the line that begins with a name.
fn line_of<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_what_the_process_uses() {
        let process = read_below(Path::new("/proc"));
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 1 << 20 && Some(bytes) < process.virtual_bytes));
        assert!(process.open_files.is_some_and(|open| open > 2 && Some(open as u64) < process.max_files));
        assert!(process.cpu_seconds.is_some_and(|seconds| (0.0..1e6).contains(&seconds)), "{process:?}");
        assert!(process.start_seconds.is_some_and(|seconds| seconds > 1.6e9), "{process:?}");
    }

    #[test]
    fn elsewhere_the_metrics_have_no_samples() {
        let mut page = Page::default();
        write(&read_below(Path::new("/proc/no/such/folder")), &mut page);
        assert!(page.finish().lines().all(|line| line.starts_with('#')));
    }
}
