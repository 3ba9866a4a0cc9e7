//! The bus: nodes that share a store tell each other of changes. A node applies a change itself before it tells it, and does
//! not assume that the other nodes run in the same process.
//!
//! - [`Bus`]: the port that implementations fill: [`LocalBus`] within a process, `NatsBus` (feature `nats`), `PostgresBus`;
//! - `event`, `envelope`: what is told, and how it is written;
//! - `member`: a node on the bus: it numbers what it sends, and sees gaps in what it receives;
//! - `senders`, `link`: the last numbers of the other nodes; the lease on the bus;
//! - `questions`: what a node asks the others, for admins;
//! - `watch`: the tasks that hold the lease, and ask the store for what was missed.
//!
//! A message is a hint and may be lost. Nothing that security rests on depends on one. A node that sees a gap, or loses the bus,
//! asks the store for ended logins, changed settings and changed documents: at once, and every second while the bus is lost.
//! Even without that it asks twice a minute (`Accounts::recheck_every`), and attempts are counted in the store before they
//! are checked. Documents of collections in memory and events of streams that are lost stay lost: they arrive at most once.
//!
//! Who can write to the bus is trusted like a node.

mod cluster;
mod envelope;
mod event;
mod link;
mod local;
mod member;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "nats")]
mod nats_credentials;
#[cfg(feature = "accounts")]
mod postgres;
#[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "only admins ask"))]
mod questions;
#[cfg(any(feature = "accounts", feature = "nats"))]
mod queue;
mod report;
mod senders;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::sync::Arc;

pub use cluster::{ClusterName, InvalidClusterName};
pub(crate) use event::BusEvent;
#[cfg(feature = "accounts")]
pub(crate) use link::Hearing;
pub(crate) use link::Standing;
pub use local::LocalBus;
pub(crate) use member::BusMember;
use member::Member;
#[cfg(feature = "nats")]
pub use nats::{InvalidNatsServer, NatsBus};
#[cfg(feature = "nats")]
pub use nats_credentials::{InvalidNatsCredentials, NatsCredentials};
#[cfg(feature = "accounts")]
pub use postgres::{InvalidPostgresUrl, PostgresBus};
#[cfg(feature = "accounts")]
pub(crate) use questions::{Answers, Question, Subject};
pub use report::BusReport;
pub(crate) use watch::CatchUp;
#[cfg(feature = "accounts")]
pub(crate) use watch::CatchUpOutcome;

/// Carries the messages of nodes to each other, in the order in which a node sends them. It may lose some.
///
/// Messages are opaque bytes. A message need not be authenticated by the bus: nodes recognise those of other clusters, of newer
/// versions, and gaps.
pub trait Bus: Send + Sync + 'static {
    /// Returns the name of the bus, as `/ready` and the log show it.
    fn name(&self) -> &'static str;

    /// Returns the maximum number of bytes of a message. In place of a larger one, other nodes are told that something is
    /// missing, and ask the store. Default: 512 KiB, more than which is never sent.
    fn max_message_bytes(&self) -> usize {
        envelope::MAX_BYTES
    }

    /// Returns whether all nodes are in this process, and no message is ever lost. A node does not have to hear its own
    /// messages then. Default: `false`.
    fn is_lossless(&self) -> bool {
        false
    }

    /// Adds a node. `receiver` is given the messages of all nodes of the cluster, including, unless the bus
    /// [is lossless](Self::is_lossless), those of the node itself. The returned sender sends messages of this one. When it is
    /// dropped, the node has left. Called inside a tokio runtime.
    fn join(&self, cluster: &ClusterName, receiver: BusReceiver) -> BusSender;
}

/// Receives what a bus brings. Cheap to clone.
#[derive(Clone)]
pub struct BusReceiver(std::sync::Weak<Member>);

impl BusReceiver {
    /// Hands over a message. Messages of one node must be handed over in their order, and one after the other.
    pub fn message(&self, message: &[u8]) {
        if let Some(member) = self.0.upgrade() {
            member.receive(message);
        }
    }

    /// Tells that messages were lost.
    pub fn missed(&self) {
        if let Some(member) = self.0.upgrade() {
            member.missed();
        }
    }

    /// Tells that there is a connection, after there was none.
    pub fn connected(&self) {
        if let Some(member) = self.0.upgrade() {
            member.connected();
        }
    }

    /// Tells that the connection is lost.
    pub fn disconnected(&self) {
        if let Some(member) = self.0.upgrade() {
            member.disconnected();
        }
    }

    /// Returns whether the node has gone. A bus can then drop the receiver.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl fmt::Debug for BusReceiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BusReceiver").finish_non_exhaustive()
    }
}

/// Sends the messages of a node.
pub struct BusSender(Box<dyn Fn(Arc<[u8]>) + Send + Sync>);

impl BusSender {
    /// Returns a sender that calls `send`, which must not block, and must drop messages that do not fit into its queue.
    pub fn new(send: impl Fn(Arc<[u8]>) + Send + Sync + 'static) -> Self {
        Self(Box::new(send))
    }

    fn send(&self, message: Arc<[u8]>) {
        (self.0)(message);
    }
}

impl fmt::Debug for BusSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BusSender").finish_non_exhaustive()
    }
}
