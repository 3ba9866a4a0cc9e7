//! [`Figures`]: what an app counts while it runs, for the metrics and for admins. Counters stand where something happens and
//! are read when somebody looks; to count is one relaxed addition, without a lock and without a name.
//!
//! What belongs to one thing is counted there: the calls of a method in the method, the writes of a collection in the
//! collection, with the types of this room. Here is what belongs to none.

mod absences;
mod connections;
mod count;
mod durations;
mod gate;
mod limit;
#[cfg(feature = "accounts")]
mod pool;
mod traffic;

pub(crate) use absences::{Absence, Absences};
pub(crate) use connections::{Carrier, Connections, Counted, Standing};
pub(crate) use count::{Count, Level, Raised};
pub(crate) use durations::{Durations, DurationsBatch, DurationsSnapshot};
pub(crate) use gate::GateFigures;
#[cfg(feature = "accounts")]
pub(crate) use gate::GateOutcome;
pub(crate) use limit::{Limit, Refusals};
#[cfg(feature = "accounts")]
pub(crate) use pool::{PoolFigures, PoolReport, TimedStatement};
pub(crate) use traffic::{Traffic, TrafficBatch};

/// What an app counts that belongs to no method, collection or other part of it.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) connections: Connections,
    pub(crate) absences: Absences,
    pub(crate) traffic: Traffic,
    pub(crate) gate: GateFigures,
    pub(crate) refusals: Refusals,
    /// The calls of methods that are not registered, all names together.
    pub(crate) unknown_methods: Count,
    /// The subscriptions to publications that are not registered, all names together.
    pub(crate) unknown_publications: Count,
}
