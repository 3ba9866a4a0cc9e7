//! What a load generator measures and reports: work done, how long each piece took, and what it
//! cost the server.

use std::fs;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::latencies::Latencies;
use crate::process::{Process, number};

/// More than this share of a core in other programs' hands makes figures doubtful.
const TOLERABLE_DISTURBANCE: f64 = 0.05;

/// What a process has had of the processor.
#[derive(Clone, Copy, Default)]
struct CpuTime {
    /// User and system time.
    used: Duration,
    /// Time in which it could have run, but something else did.
    waited: Duration,
}

impl CpuTime {
    fn since(self, before: Self) -> Self {
        Self { used: self.used.saturating_sub(before.used), waited: self.waited.saturating_sub(before.waited) }
    }
}

/// What a load generator has to say, as one line of JSON.
#[derive(Serialize, Deserialize)]
pub(crate) enum Report {
    /// One measurement for each server, in the order given.
    Measured(Vec<Measurement>),
    /// Some server lacks what the scenario needs.
    NotMeasured(String),
    /// An answer was wrong or did not come.
    Wrong { server: usize, what: String },
}

/// How one server did.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// The load is given in slices, between which the other servers have their turn.
    pub(crate) slices: Vec<Slice>,
    pub(crate) latency: Option<Quantiles>,
    /// From a subscription's request to the first byte of its answer.
    pub(crate) first_byte: Option<Quantiles>,
    /// By how many bytes the server's resident memory has grown for each unit.
    pub(crate) memory_per_unit: Option<f64>,
    /// What the kernel's exact and its coarse counter tell of CPU time, if that is not the same.
    pub(crate) counters_differ: Option<(Duration, Duration)>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Slice {
    /// How many calls, sessions, deliveries or documents.
    pub(crate) units: usize,
    pub(crate) elapsed: Duration,
    pub(crate) server_cpu: Duration,
    /// How long the server or the load could have run, but something else did; the longer of both.
    waited: Duration,
}

impl Slice {
    pub(crate) fn units_per_second(&self) -> f64 {
        self.units as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn cpu_microseconds_per_unit(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.units as f64
    }

    pub(crate) fn disturbance(&self) -> f64 {
        self.waited.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    pub(crate) fn is_disturbed(&self) -> bool {
        self.disturbance() > TOLERABLE_DISTURBANCE
    }
}

/// What a load has done in one slice.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) units: usize,
    pub(crate) latencies: Latencies,
    pub(crate) first_bytes: Latencies,
}

impl Latencies {
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Nothing, if nothing was recorded.
    pub(crate) fn quantiles(mut self) -> Option<Quantiles> {
        Some(Quantiles { p50: self.quantile(0.50)?, p99: self.quantile(0.99)? })
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Measures a server from [`Stopwatch::start`] to [`Stopwatch::stop`]. If nothing is under way at
/// either, the server sleeps, and what the kernel tells of it is exact.
pub(crate) struct Stopwatch {
    server: Process,
    server_cpu: CpuTime,
    load_cpu: CpuTime,
    started: Instant,
}

impl Stopwatch {
    pub(crate) fn start(server: Process) -> Result<Self, Failure> {
        Ok(Self {
            server,
            server_cpu: server.cpu_time()?,
            load_cpu: Process::this().cpu_time()?,
            started: Instant::now(),
        })
    }

    pub(crate) fn stop(self, units: usize) -> Result<Slice, Failure> {
        let elapsed = self.started.elapsed();
        if units == 0 {
            return Err("nothing was done in the time given".into());
        }
        let server = self.server.cpu_time()?.since(self.server_cpu);
        let load = Process::this().cpu_time()?.since(self.load_cpu);
        let waited = server.waited.max(load.waited);
        Ok(Slice { units, elapsed, server_cpu: server.used, waited })
    }
}

/// Compares the kernel's exact counter with its coarse one, over a long time.
pub(crate) struct CounterCheck {
    server: Process,
    exact: CpuTime,
    in_ticks: Duration,
}

impl CounterCheck {
    pub(crate) fn start(server: Process) -> Result<Self, Failure> {
        let (exact, in_ticks) = (server.cpu_time()?, server.cpu_time_in_ticks()?);
        Ok(Self { server, exact, in_ticks })
    }

    /// Both times, if they differ by more than some ticks at either end.
    pub(crate) fn difference(&self) -> Result<Option<(Duration, Duration)>, Failure> {
        let exact = self.server.cpu_time()?.since(self.exact).used;
        let in_ticks = self.server.cpu_time_in_ticks()?.saturating_sub(self.in_ticks);
        let tolerable = Duration::from_millis(40) + exact / 50;
        Ok((exact.abs_diff(in_ticks) > tolerable).then_some((exact, in_ticks)))
    }
}

impl Process {
    fn this() -> Self {
        Self(std::process::id())
    }

    /// What all threads have used, exact but for the time slice that is running. Threads that
    /// have ended are not in it.
    fn cpu_time(self) -> Result<CpuTime, Failure> {
        let mut sum = CpuTime::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let mut fields = text.split(' ');
            sum.used += Duration::from_nanos(number(fields.next())?);
            sum.waited += Duration::from_nanos(number(fields.next())?);
        }
        Ok(sum)
    }
}
