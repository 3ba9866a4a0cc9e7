//! [`Shares`]: what clients hold at a time, counted in total and by network. A network that has used up its share takes
//! nothing from others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::peer::{Network, Peer};

/// The minimum time between two log entries about the same maximum.
const BETWEEN_WARNINGS: Duration = Duration::from_mins(1);

/// The origin of something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Network(Network),
    /// Clients whose address is unknown. All of them count as one network.
    Unknown,
    /// A proxy. It counts in total only: its clients are counted by their requests.
    Proxy,
}

/// A maximum, with the name of its field in [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maximum {
    pub(crate) name: &'static str,
    pub(crate) count: usize,
}

/// What clients hold at a time.
pub(crate) struct Shares {
    in_total: Maximum,
    per_network: Maximum,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_total: usize,
    /// Hashed fast, and in a way that clients cannot predict: each session is counted three times.
    by_source: HashMap<Source, usize, RandomState>,
    refused_in_total: Refusals,
    refused_to_network: Refusals,
}

/// What is held of a maximum, and how often it has refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) maximum: Maximum,
    /// How much all clients hold. `None` for the maximum of one network.
    pub(crate) held: Option<usize>,
    pub(crate) refused: u64,
}

/// The refusals for one maximum.
#[derive(Default)]
struct Refusals {
    /// Since the start.
    total: u64,
    /// Since the last log entry.
    count: u64,
    logged_at: Option<Timestamp>,
}

/// What a client holds. It is given back when this is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    source: Source,
    count: usize,
}

impl Source {
    /// Returns the source of what a client holds.
    pub(crate) fn of(peer: &Peer) -> Self {
        peer.network().map_or(Self::Unknown, Self::Network)
    }
}

impl Shares {
    pub(crate) fn new(in_total: Maximum, per_network: Maximum) -> Arc<Self> {
        Arc::new(Self { in_total, per_network, state: Mutex::default() })
    }

    /// Takes one. Returns `None` if a maximum is reached, and logs its name at most once per minute.
    pub(crate) fn take(self: &Arc<Self>, source: Source, now: Timestamp) -> Option<Share> {
        self.take_many(source, 1, now)
    }

    /// Takes this many, or none.
    pub(crate) fn take_many(self: &Arc<Self>, source: Source, count: usize, now: Timestamp) -> Option<Share> {
        self.count(source, count, now).then(|| Share { shares: Arc::clone(self), source, count })
    }

    /// Returns what is held of both maximums.
    pub(crate) fn usage(&self) -> [Usage; 2] {
        let state = self.state.lock();
        let (all, network) = (state.refused_in_total.total, state.refused_to_network.total);
        [
            Usage { maximum: self.in_total, held: Some(state.in_total), refused: all },
            Usage { maximum: self.per_network, held: None, refused: network },
        ]
    }

    /// Counts this many, or none. Returns whether it has. They are [given back](Self::give_back) by the caller.
    pub(crate) fn count(&self, source: Source, count: usize, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let held = state.by_source.get(&source).copied().unwrap_or_default();
        if source != Source::Proxy && held.saturating_add(count) > self.per_network.count {
            state.refused_to_network.note(self.per_network, source, now);
            return false;
        }
        if state.in_total.saturating_add(count) > self.in_total.count {
            state.refused_in_total.note(self.in_total, source, now);
            return false;
        }
        state.in_total += count;
        state.by_source.insert(source, held + count);
        true
    }

    pub(crate) fn give_back(&self, source: Source, count: usize) {
        if count == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.in_total = state.in_total.saturating_sub(count);
        if let Some(held) = state.by_source.get_mut(&source) {
            *held = held.saturating_sub(count);
            if *held == 0 {
                state.by_source.remove(&source);
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(self.source, self.count);
    }
}

impl Refusals {
    fn note(&mut self, maximum: Maximum, source: Source, now: Timestamp) {
        self.total += 1;
        self.count += 1;
        let is_due = self.logged_at.is_none_or(|at| now < at || at.plus(BETWEEN_WARNINGS) <= now);
        if !is_due {
            return;
        }
        self.logged_at = Some(now);
        let Maximum { name, count: maximum } = maximum;
        let flag = name.replace('_', "-");
        let refused = std::mem::take(&mut self.count);
        match source {
            Source::Network(network) => tracing::warn!(
                refused, %network,
                "clients were refused: the maximum is {maximum}; Limits::{name} or --max-{flag} sets another, and \
                 --trusted-proxy names a proxy in front of this server"
            ),
            Source::Unknown | Source::Proxy => tracing::warn!(
                refused,
                "clients were refused: the maximum is {maximum}; Limits::{name} or --max-{flag} sets another"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(in_total: usize, per_network: usize) -> Arc<Shares> {
        let maximum = |name, count| Maximum { name, count };
        Shares::new(maximum("connections", in_total), maximum("connections_per_network", per_network))
    }

    fn network(address: &str) -> Source {
        Source::Network(Network::of(address.parse().unwrap()))
    }

    fn take(shares: &Arc<Shares>, source: Source) -> Option<Share> {
        shares.take(source, Timestamp::from_milliseconds(0))
    }

    #[test]
    fn a_network_takes_only_its_share() {
        let shares = shares(10, 2);
        let first = take(&shares, network("2001:db8::1"));
        let _second = take(&shares, network("2001:db8::2")).unwrap();
        assert!(take(&shares, network("2001:db8::3")).is_none(), "the same /64");
        assert!(take(&shares, network("2001:db8:0:1::1")).is_some());
        drop(first);
        assert!(take(&shares, network("2001:db8::3")).is_some());
    }

    #[test]
    fn the_total_is_bounded_too_and_counts_proxies() {
        let shares = shares(3, 2);
        let held: Vec<_> = (0..3).map(|_| take(&shares, Source::Proxy).unwrap()).collect();
        assert!(take(&shares, Source::Proxy).is_none() && take(&shares, Source::Unknown).is_none());
        drop(held);
        let state = shares.state.lock();
        assert!(state.by_source.is_empty() && state.in_total == 0);
    }

    #[test]
    fn many_are_taken_together_or_not_at_all() {
        let shares = shares(10, 6);
        let now = Timestamp::from_milliseconds(0);
        let first = shares.take_many(network("192.0.2.1"), 4, now).unwrap();
        assert!(!shares.count(network("192.0.2.1"), 3, now) && shares.count(network("192.0.2.1"), 2, now));
        assert!(shares.take_many(network("192.0.2.2"), 5, now).is_none());
        assert!(shares.take_many(network("192.0.2.2"), 4, now).is_some());
        drop(first);
        shares.give_back(network("192.0.2.1"), 2);
        let state = shares.state.lock();
        assert!(state.by_source.is_empty() && state.in_total == 0);
    }

    #[test]
    fn clients_of_unknown_address_count_as_one_network() {
        let shares = shares(10, 1);
        let _held = take(&shares, Source::Unknown).unwrap();
        assert!(take(&shares, Source::Unknown).is_none());
    }

    #[test]
    fn a_maximum_is_logged_once_per_minute() {
        let mut refusals = Refusals::default();
        let logged: Vec<u64> = [0, 1, 59_999, 60_000, 60_001, -5]
            .into_iter()
            .map(|at| {
                let maximum = Maximum { name: "connections", count: 1 };
                refusals.note(maximum, Source::Unknown, Timestamp::from_milliseconds(at));
                refusals.count
            })
            .collect();
        assert_eq!(logged, [0, 1, 2, 0, 1, 0], "what is left to be logged later");
    }
}
