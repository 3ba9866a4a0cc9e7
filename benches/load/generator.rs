//! The load generator's own process: one scenario on several servers by turns, slice by slice.
//!
//! What disturbs a machine, and the neighbours of a virtual one, comes and goes within seconds.
//! Slices of the same half second are comparable all the same.

use std::time::Duration;

use crate::Failure;
use crate::latencies::Latencies;
use crate::measurement::{CounterCheck, Measurement, Report, Slice, Stopwatch, Work};
use crate::scenario::{Load, Method, NoSuchPublication, Scenario, Target};

const SLICE: Duration = Duration::from_millis(500);

/// How many slices may be made again, for each that is wanted, because other programs ran
/// meanwhile.
const SPARE: usize = 1;

pub(crate) struct Plan {
    pub(crate) scenario: &'static Scenario,
    pub(crate) targets: Vec<Target>,
    /// How long each server is under load.
    pub(crate) duration: Duration,
}

impl Plan {
    /// Runs the scenario and prints the report for the process that compares.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut blamed = 0;
        let report = match self.measure(&mut blamed) {
            Ok(measurements) => Report::Measured(measurements),
            Err(failure) if failure.is::<NoSuchPublication>() => Report::NotMeasured(failure.to_string()),
            Err(failure) => Report::Wrong { server: blamed, what: failure.to_string() },
        };
        println!("{}", serde_json::to_string(&report)?);
        Ok(())
    }

    /// `blamed` is the server whose fault it is if this fails.
    fn measure(&self, blamed: &mut usize) -> Result<Vec<Measurement>, Failure> {
        match self.scenario.method {
            Method::Once(measure) => each(&self.targets, blamed, measure),
            Method::InSlices(prepare) => {
                let prepare = |target: &Target| Contestant::prepare(target, prepare);
                self.measure_in_slices(each(&self.targets, blamed, prepare)?, blamed)
            }
        }
    }

    fn measure_in_slices(
        &self,
        mut contestants: Vec<Contestant>,
        blamed: &mut usize,
    ) -> Result<Vec<Measurement>, Failure> {
        let wanted = self.duration.div_duration_f64(SLICE).round().max(1.0) as usize;
        let mut kept = 0;
        let mut spare = wanted * SPARE;
        while kept < wanted {
            let mut slices = each(&mut contestants, blamed, Contestant::run_slice)?;
            // They are compared with each other, so one that was disturbed spoils the others.
            if spare > 0 && slices.iter().any(|(slice, _)| slice.is_disturbed()) {
                spare -= 1;
                continue;
            }
            kept += 1;
            for (contestant, (slice, work)) in contestants.iter_mut().zip(slices.drain(..)) {
                contestant.keep(slice, work);
            }
        }
        each(contestants, blamed, Contestant::finish)
    }
}

/// Does the same for all, and notes for whom.
fn each<T, U>(
    all: impl IntoIterator<Item = T>,
    blamed: &mut usize,
    action: impl Fn(T) -> Result<U, Failure>,
) -> Result<Vec<U>, Failure> {
    let act = |(index, one)| {
        *blamed = index;
        action(one)
    };
    all.into_iter().enumerate().map(act).collect()
}

/// A server under load, and what has been found about it so far.
struct Contestant {
    target: Target,
    load: Box<dyn Load>,
    counters: CounterCheck,
    slices: Vec<Slice>,
    latencies: Latencies,
    first_bytes: Latencies,
}

impl Contestant {
    /// Sets the load up and lets the server warm up: caches fill and buffers grow.
    fn prepare(target: &Target, prepare: fn(&Target) -> Result<Box<dyn Load>, Failure>) -> Result<Self, Failure> {
        let mut load = prepare(target)?;
        load.run(SLICE)?;
        Ok(Self {
            target: *target,
            load,
            counters: CounterCheck::start(target.server)?,
            slices: vec![],
            latencies: Latencies::default(),
            first_bytes: Latencies::default(),
        })
    }

    fn run_slice(&mut self) -> Result<(Slice, Work), Failure> {
        let stopwatch = Stopwatch::start(self.target.server)?;
        let work = self.load.run(SLICE)?;
        Ok((stopwatch.stop(work.units)?, work))
    }

    fn keep(&mut self, slice: Slice, work: Work) {
        self.slices.push(slice);
        self.latencies.extend(work.latencies);
        self.first_bytes.extend(work.first_bytes);
    }

    fn finish(self) -> Result<Measurement, Failure> {
        Ok(Measurement {
            slices: self.slices,
            latency: self.latencies.quantiles(),
            first_byte: self.first_bytes.quantiles(),
            memory_per_unit: None,
            counters_differ: self.counters.difference()?,
        })
    }
}
