//! The measurement of one server in one flood.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::arguments::{ATTACK, VISIT};
use crate::attack::Toll;
use crate::child::{Placement, RunningServer, end};
use crate::flood::Flood;
use crate::processor::busy_time;
use crate::server::{DataDirectory, Politeness, Program, role};
use crate::state::State;
use crate::visitor::{self, Visit};

/// What was measured of one server in one flood.
pub(crate) struct Measurement {
    pub(crate) idle: State,
    /// At the end of the flood, while the attacker is still there.
    pub(crate) end: State,
    pub(crate) later: State,
    pub(crate) alone: Visit,
    pub(crate) during: Visit,
    pub(crate) toll: Toll,
    /// The share of a core that the server used during the flood.
    pub(crate) cpu: f64,
    /// The share of the server's core that other programs used meanwhile, if it has a core of its own.
    pub(crate) disturbance: Option<f64>,
}

/// How long each part of a measurement takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// The visitor alone.
    idle: Duration,
    /// The visitor during the flood.
    flood: Duration,
    /// From the attacker's end until the last look at the server.
    afterwards: Duration,
}

impl Times {
    pub(crate) const FULL: Self =
        Self { idle: Duration::from_secs(2), flood: Duration::from_secs(8), afterwards: Duration::from_secs(10) };
    pub(crate) const QUICK: Self =
        Self { idle: Duration::from_secs(1), flood: Duration::from_secs(3), afterwards: Duration::from_secs(3) };
}

/// A server that has been flooded. The attacker is gone.
pub(crate) struct Flooded {
    server: RunningServer,
    data: DataDirectory,
    /// All but the last look.
    measurement: Measurement,
}

impl Flooded {
    /// Starts a server and measures it, alone and during the flood.
    pub(crate) fn flood(flood: &Flood, program: &Program, placement: Placement, times: Times) -> Result<Self, Failure> {
        let data = DataDirectory::create()?;
        let server = program.start(placement, flood.files, &data, flood.proxy)?;
        visitor::sign_up(server.address()).map_err(|failure| format!("the visitor cannot sign up: {failure}"))?;
        let alone = visit(&server, times.idle, placement)?;
        let idle = State::of(server.process(), &data)?;
        let stopwatch = Stopwatch::start(&server, placement)?;
        let attacker = Attacker::start(flood, &server, times.flood, placement)?;
        let during = visit(&server, times.flood, placement)?;
        let (cpu, disturbance) = stopwatch.stop(&server)?;
        let end = State::of(server.process(), &data)?;
        let toll = attacker.finish()?;
        let measurement = Measurement { alone, during, idle, end, later: end, toll, cpu, disturbance };
        Ok(Self { server, data, measurement })
    }

    /// Waits, and looks at the server for the last time.
    pub(crate) fn settle(self, times: Times) -> Result<Measurement, Failure> {
        thread::sleep(times.afterwards);
        let later = State::of(self.server.process(), &self.data)?;
        Ok(Measurement { later, ..self.measurement })
    }
}

/// Tells apart what the server and what other programs use of a core.
struct Stopwatch {
    started: Instant,
    cpu: Duration,
    core: Option<(usize, Duration)>,
}

impl Stopwatch {
    fn start(server: &RunningServer, placement: Placement) -> Result<Self, Failure> {
        let core = placement.server.map(|core| Ok::<_, Failure>((core, busy_time(core)?))).transpose()?;
        Ok(Self { started: Instant::now(), cpu: server.process().cpu_time_in_ticks()?, core })
    }

    /// The shares of a core of the server and of other programs.
    fn stop(self, server: &RunningServer) -> Result<(f64, Option<f64>), Failure> {
        let elapsed = self.started.elapsed();
        let used = server.process().cpu_time_in_ticks()?.saturating_sub(self.cpu);
        let others = |(core, before)| Ok::<_, Failure>(busy_time(core)?.saturating_sub(before).saturating_sub(used));
        let others = self.core.map(others).transpose()?;
        Ok((used.div_duration_f64(elapsed), others.map(|others| others.div_duration_f64(elapsed))))
    }
}

fn visit(server: &RunningServer, duration: Duration, placement: Placement) -> Result<Visit, Failure> {
    let words = [VISIT.to_owned(), server.address().to_string(), duration.as_secs_f64().to_string()];
    let output = role(placement, Politeness::Equal, &words)?.output()?;
    if !output.status.success() {
        return Err(format!("the visitor ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The attacker's process. It ends when this is dropped.
struct Attacker(Child);

impl Attacker {
    fn start(flood: &Flood, server: &RunningServer, time: Duration, placement: Placement) -> Result<Self, Failure> {
        let words =
            [ATTACK.to_owned(), flood.name.to_owned(), server.address().to_string(), time.as_secs_f64().to_string()];
        let mut command = role(placement, Politeness::Yields, &words)?;
        Ok(Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    /// Reads what the attacker did, and ends it.
    fn finish(mut self) -> Result<Toll, Failure> {
        let output = self.0.stdout.take().ok_or("the attacker has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(serde_json::from_str(&line).map_err(|error| format!("the attacker's report: {error}"))?)
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}
