//! The scenarios: what each one does to a server, and the budget that it is held against.

mod calls;
mod fan_out;
mod idle;
mod initial;
mod open;
mod rest;
mod shared_documents;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Failure;
use crate::floor::Variant;
use crate::measurement::{Measurement, Work};
use crate::process::Process;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is counted: `call`, `session`, …
    pub(crate) unit: &'static str,
    /// What runs beside Bolide.
    pub(crate) floors: &'static [Variant],
    pub(crate) budgets: &'static [Budget],
    pub(crate) method: Method,
}

#[derive(Clone, Copy)]
pub(crate) enum Method {
    /// CPU time is noisy: all servers in the same process, slice by slice, in several rounds.
    InSlices(fn(&Target) -> Result<Box<dyn Load>, Failure>),
    /// Memory is the same each time.
    Once(fn(&Target) -> Result<Measurement, Failure>),
}

/// A load on one server that can be given in slices.
pub(crate) trait Load {
    /// Works for about this time, until nothing is under way any more.
    fn run(&mut self, duration: Duration) -> Result<Work, Failure>;
}

/// What a result may not exceed.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// Server CPU per unit, as a multiple of a floor's in the same run.
    CpuTimes(Variant, f64),
    /// Bytes of resident memory for each unit.
    Memory(f64),
    /// The same, as a multiple of a floor's.
    MemoryTimes(Variant, f64),
    /// Half of all subscriptions get the first byte of their answer within this time.
    FirstByte(Duration),
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "one-outstanding",
        unit: "call",
        floors: &[Variant::Plain, Variant::HandMade],
        budgets: &[Budget::CpuTimes(Variant::Plain, 1.25)],
        method: Method::InSlices(calls::one_outstanding),
    },
    Scenario {
        name: "pipelined",
        unit: "call",
        floors: &[Variant::Plain, Variant::HandMade],
        budgets: &[Budget::CpuTimes(Variant::Plain, 1.35), Budget::CpuTimes(Variant::HandMade, 1.25)],
        method: Method::InSlices(calls::pipelined),
    },
    Scenario {
        name: "rest",
        unit: "request",
        floors: &[Variant::Http],
        budgets: &[Budget::CpuTimes(Variant::Http, 1.3)],
        method: Method::InSlices(rest::rest),
    },
    Scenario {
        name: "open",
        unit: "session",
        floors: &[Variant::Plain, Variant::HandMade],
        budgets: &[Budget::CpuTimes(Variant::Plain, 1.5), Budget::CpuTimes(Variant::HandMade, 1.3)],
        method: Method::InSlices(open::open),
    },
    Scenario {
        name: "idle",
        unit: "session",
        floors: &[Variant::Plain, Variant::DefaultBuffers, Variant::HandMade],
        budgets: &[Budget::Memory(6.0 * 1024.0), Budget::MemoryTimes(Variant::HandMade, 2.5)],
        method: Method::Once(idle::idle),
    },
    Scenario {
        name: "fanout-paced",
        unit: "delivery",
        floors: &[Variant::Plain, Variant::HandMade],
        budgets: &[Budget::CpuTimes(Variant::Plain, 0.8)],
        method: Method::InSlices(fan_out::paced),
    },
    Scenario {
        name: "fanout-full",
        unit: "delivery",
        floors: &[Variant::Plain, Variant::SharedWrites, Variant::HandMade],
        budgets: &[Budget::CpuTimes(Variant::Plain, 0.5)],
        method: Method::InSlices(fan_out::full),
    },
    Scenario {
        name: "initial",
        unit: "document",
        floors: &[Variant::Plain, Variant::HandMade],
        budgets: &[Budget::CpuTimes(Variant::Plain, 1.5), Budget::FirstByte(Duration::from_millis(1))],
        method: Method::InSlices(initial::initial),
    },
    Scenario {
        name: "shared-documents",
        unit: "session × document",
        floors: &[],
        budgets: &[Budget::Memory(200.0)],
        method: Method::Once(shared_documents::shared_documents),
    },
];

pub(crate) fn named(name: &str) -> Result<&'static Scenario, Failure> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| format!("there is no scenario `{name}`; see --help").into())
}

/// A server, and how much is asked of it.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) server: Process,
    /// Multiplies the number of sessions, subscribers and documents. Budgets hold at 1.
    pub(crate) scale: f64,
}

impl Target {
    fn scaled(&self, number: usize) -> usize {
        ((number as f64 * self.scale) as usize).max(1)
    }
}

/// The server cannot be measured, because it lacks a publication. That is not a wrong answer.
#[derive(Debug)]
pub(crate) struct NoSuchPublication(&'static str);

impl fmt::Display for NoSuchPublication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "server has no publication `{}`", self.0)
    }
}

impl Error for NoSuchPublication {}
