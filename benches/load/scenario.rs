//! The scenarios: what each one does to a server, and the budget that it is held against.

mod calls;
mod fan_out;
mod idle;
mod initial;
mod open;
mod shared_documents;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Failure;
use crate::child::Process;
use crate::measurement::Measurement;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is counted: `call`, `session`, …
    pub(crate) unit: &'static str,
    pub(crate) floor: Floor,
    pub(crate) budgets: &'static [Budget],
    pub(crate) generate: fn(&Plan) -> Result<Measurement, Failure>,
}

/// What runs beside Bolide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    /// The floor in the same number of rounds, before or after Bolide by turns.
    Interleaved,
    /// The floor once, also with tungstenite's default buffers: memory is the same in every round.
    OnceForOrientation,
    /// Nothing: the budget is absolute.
    Absent,
}

/// What a result may not exceed.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// Server CPU per unit, as a multiple of the floor's in the same run.
    CpuTimesFloor(f64),
    /// Bytes of resident memory for each unit.
    Memory(f64),
    /// Half of all subscriptions get the first byte of their answer within this time.
    FirstByte(Duration),
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "one-outstanding",
        unit: "call",
        floor: Floor::Interleaved,
        budgets: &[Budget::CpuTimesFloor(1.25)],
        generate: calls::one_outstanding,
    },
    Scenario {
        name: "pipelined",
        unit: "call",
        floor: Floor::Interleaved,
        budgets: &[Budget::CpuTimesFloor(1.35)],
        generate: calls::pipelined,
    },
    Scenario {
        name: "open",
        unit: "session",
        floor: Floor::Interleaved,
        budgets: &[Budget::CpuTimesFloor(1.5)],
        generate: open::open,
    },
    Scenario {
        name: "idle",
        unit: "session",
        floor: Floor::OnceForOrientation,
        budgets: &[Budget::Memory(6.0 * 1024.0)],
        generate: idle::idle,
    },
    Scenario {
        name: "fanout-paced",
        unit: "delivery",
        floor: Floor::Interleaved,
        budgets: &[Budget::CpuTimesFloor(0.8)],
        generate: fan_out::paced,
    },
    Scenario {
        name: "fanout-full",
        unit: "delivery",
        floor: Floor::Interleaved,
        budgets: &[Budget::CpuTimesFloor(0.5)],
        generate: fan_out::full,
    },
    Scenario {
        name: "initial",
        unit: "document",
        floor: Floor::Interleaved,
        budgets: &[
            Budget::CpuTimesFloor(1.5),
            Budget::FirstByte(Duration::from_millis(1)),
        ],
        generate: initial::initial,
    },
    Scenario {
        name: "shared-documents",
        unit: "session × document",
        floor: Floor::Absent,
        budgets: &[Budget::Memory(200.0)],
        generate: shared_documents::shared_documents,
    },
];

pub(crate) fn named(name: &str) -> Result<&'static Scenario, Failure> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| format!("there is no scenario `{name}`; see --help").into())
}

/// Which server a load generator works on, how long and how much.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) server: Process,
    pub(crate) duration: Duration,
    /// Multiplies the number of sessions, subscribers and documents. Budgets hold at 1.
    pub(crate) scale: f64,
}

impl Plan {
    /// Time to let caches fill and buffers grow, before anything is measured.
    fn warm_up(&self) -> Duration {
        self.duration / 4
    }

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
