//! How busy a core is, with all programs that use it.

use std::fs;
use std::time::Duration;

use crate::Failure;
use crate::process::NANOSECONDS_PER_TICK;

/// The time that programs have had on a core since the system started.
pub(crate) fn busy_time(core: usize) -> Result<Duration, Failure> {
    let text = fs::read_to_string("/proc/stat")?;
    let ticks = busy_ticks(&text, core).ok_or("/proc/stat does not tell of the server's core")?;
    Ok(Duration::from_nanos(ticks * NANOSECONDS_PER_TICK))
}

/// The sum of user, nice and system time.
pub(crate) fn busy_ticks(text: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core}");
    let figures = text.lines().find_map(|line| line.strip_prefix(&*name)?.strip_prefix(' '))?;
    figures.split(' ').take(3).map(|figure| figure.parse::<u64>().ok()).sum()
}
