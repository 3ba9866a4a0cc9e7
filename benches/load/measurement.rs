//! What a load generator measures and reports: work done, how long each piece took, and what it cost the server.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::child::Process;

/// What a load generator has to say, as one line of JSON.
#[derive(Serialize, Deserialize)]
pub(crate) enum Report {
    Measured(Measurement),
    /// The server lacks what the scenario needs.
    NotMeasured(String),
    /// An answer was wrong or did not come.
    Wrong(String),
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// How many calls, sessions, deliveries or documents.
    pub(crate) units: usize,
    pub(crate) elapsed: Duration,
    pub(crate) server_cpu: Duration,
    /// The same time as the kernel's other counter has it, to check the first.
    pub(crate) server_cpu_in_ticks: Duration,
    pub(crate) latency: Quantiles,
    /// From a subscription's request to the first byte of its answer.
    pub(crate) first_byte: Option<Quantiles>,
    /// By how many bytes the server's resident memory has grown for each unit.
    pub(crate) memory_per_unit: Option<f64>,
}

impl Measurement {
    pub(crate) fn units_per_second(&self) -> f64 {
        self.units as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn cpu_microseconds_per_unit(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.units as f64
    }

    /// Whether the two counters tell the same, but for some ticks at either end.
    pub(crate) fn counters_agree(&self) -> bool {
        let apart = self.server_cpu.abs_diff(self.server_cpu_in_ticks);
        apart < Duration::from_millis(40) + self.server_cpu / 50
    }
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// How long each piece of work took.
#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn quantiles(mut self) -> Quantiles {
        let last = self.0.len().saturating_sub(1);
        if self.0.is_empty() {
            return Quantiles::default();
        }
        let mut at = |share: f64| *self.0.select_nth_unstable((last as f64 * share) as usize).1;
        Quantiles {
            p50: at(0.50),
            p99: at(0.99),
        }
    }
}

/// Measures a server from [`Stopwatch::start`] to [`Stopwatch::stop`]. Nothing may be under way at either.
pub(crate) struct Stopwatch {
    server: Process,
    started: Instant,
    cpu: Duration,
    cpu_in_ticks: Duration,
}

impl Stopwatch {
    pub(crate) fn start(server: Process) -> Result<Self, Failure> {
        Ok(Self {
            server,
            cpu: server.cpu_time()?,
            cpu_in_ticks: server.cpu_time_in_ticks()?,
            started: Instant::now(),
        })
    }

    pub(crate) fn stop(self, units: usize, latencies: Latencies) -> Result<Measurement, Failure> {
        let elapsed = self.started.elapsed();
        let cpu = self.server.cpu_time()?;
        let cpu_in_ticks = self.server.cpu_time_in_ticks()?;
        if units == 0 {
            return Err("nothing was done in the time given".into());
        }
        Ok(Measurement {
            units,
            elapsed,
            server_cpu: cpu.saturating_sub(self.cpu),
            server_cpu_in_ticks: cpu_in_ticks.saturating_sub(self.cpu_in_ticks),
            latency: latencies.quantiles(),
            first_byte: None,
            memory_per_unit: None,
        })
    }
}
