//! What the kernel knows of a process.

use std::fs;
use std::time::Duration;

use crate::Failure;

/// `getconf CLK_TCK`, which Linux has fixed for programs.
pub(crate) const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// A process as `/proc` shows it.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// What all threads have used in whole clock ticks, with those that have ended: coarse, and what `top` shows.
    pub(crate) fn cpu_time_in_ticks(self) -> Result<Duration, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The program's name may hold anything, but nothing after it holds a bracket.
        let (_, rest) = text.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
        let mut fields = rest.split_whitespace().skip(11);
        let user = number(fields.next())?;
        let system = number(fields.next())?;
        Ok(Duration::from_nanos((user + system) * NANOSECONDS_PER_TICK))
    }

    /// Bytes of memory that are resident.
    pub(crate) fn resident_memory(self) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = number(line.and_then(|line| line.split_whitespace().next()))?;
        Ok(kilobytes * 1024)
    }
}

pub(crate) fn number(text: Option<&str>) -> Result<u64, Failure> {
    Ok(text.ok_or("a number is missing in /proc")?.trim().parse()?)
}
