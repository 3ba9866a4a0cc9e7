//! [`Senders`]: the last number that was heard of each sender, which shows what is missing.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// The maximum number of senders. If there are more, the one that was silent longest is forgotten; it counts as unknown when
/// it is heard again.
const MAX_SENDERS: usize = 1_024;

/// How long a sender may be silent; it sends every second.
const SILENCE: Duration = Duration::from_secs(5);

/// Whether messages are missing before one that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It comes from a sender that was not known. One that has started again may have written before it crashed.
    New,
    /// It is the one that comes next.
    Next,
    /// Messages are missing before it.
    After {
        /// The number of missing messages.
        missing: u64,
    },
    /// It, or a later one, was heard before. It must not be applied: what came later may have replaced it.
    Late,
}

/// The senders that this node has heard: nodes, each with its epoch.
#[derive(Debug, Default)]
pub(super) struct Senders {
    heard: HashMap<Sender, Heard>,
}

type Sender = (Box<str>, Box<str>);

#[derive(Debug)]
struct Heard {
    n: u64,
    at: Instant,
}

impl Senders {
    /// Notes a message with its number.
    pub(super) fn note(&mut self, node: &str, epoch: &str, n: u64, now: Instant) -> Arrival {
        let sender = (Box::from(node), Box::from(epoch));
        if let Some(heard) = self.heard.get_mut(&sender) {
            heard.at = now;
            return heard.follow(n);
        }
        if self.heard.len() >= MAX_SENDERS {
            self.forget_the_most_silent();
        }
        self.heard.insert(sender, Heard { n, at: now });
        Arrival::New
    }

    /// Forgets a sender that has left.
    pub(super) fn forget(&mut self, node: &str, epoch: &str) {
        self.heard.remove(&(Box::from(node), Box::from(epoch)));
    }

    /// Forgets the senders that are silent without having left, and returns how many they are. They have crashed, or their
    /// messages do not arrive.
    pub(super) fn forget_silent(&mut self, now: Instant) -> usize {
        let before = self.heard.len();
        self.heard.retain(|_, heard| now.duration_since(heard.at) <= SILENCE);
        before - self.heard.len()
    }

    /// Returns the ids of the nodes, in order.
    pub(super) fn nodes(&self) -> Vec<String> {
        let mut nodes: Vec<String> = self.heard.keys().map(|(node, _)| node.to_string()).collect();
        nodes.sort_unstable();
        // One that has just started again.
        nodes.dedup();
        nodes
    }

    fn forget_the_most_silent(&mut self) {
        let most_silent = self.heard.iter().min_by_key(|(_, heard)| heard.at).map(|(sender, _)| sender.clone());
        if let Some(sender) = most_silent {
            self.heard.remove(&sender);
        }
    }
}

impl Heard {
    fn follow(&mut self, n: u64) -> Arrival {
        if n <= self.n {
            return Arrival::Late;
        }
        let missing = n - self.n - 1;
        self.n = n;
        if missing == 0 { Arrival::Next } else { Arrival::After { missing } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_messages_are_counted() {
        let (mut senders, now) = (Senders::default(), Instant::now());
        let mut heard = |n| senders.note("a", "1", n, now);
        assert_eq!(heard(1), Arrival::New);
        assert_eq!(heard(2), Arrival::Next);
        assert_eq!(heard(5), Arrival::After { missing: 2 });
        assert_eq!(heard(4), Arrival::Late);
        assert_eq!(heard(5), Arrival::Late);
        assert_eq!(heard(6), Arrival::Next);
        assert_eq!(heard(u64::MAX), Arrival::After { missing: u64::MAX - 7 });
        assert_eq!(heard(7), Arrival::Late);
    }

    #[test]
    fn a_node_that_starts_again_counts_again_and_its_old_messages_stay_late() {
        let (mut senders, now) = (Senders::default(), Instant::now());
        assert_eq!(senders.note("a", "1", 1, now), Arrival::New);
        assert_eq!(senders.note("a", "1", 2, now), Arrival::Next);
        assert_eq!(senders.note("a", "2", 1, now), Arrival::New);
        assert_eq!(senders.note("a", "1", 2, now), Arrival::Late, "a replay");
        assert_eq!(senders.note("a", "2", 2, now), Arrival::Next);
        assert_eq!(senders.note("b", "1", 9, now), Arrival::New);
    }

    #[test]
    fn silent_senders_are_forgotten() {
        let (mut senders, now) = (Senders::default(), Instant::now());
        senders.note("a", "1", 1, now);
        senders.note("b", "1", 1, now + SILENCE);
        senders.note("c", "1", 1, now);
        senders.forget("c", "1");
        let later = now + SILENCE + Duration::from_millis(1);
        assert_eq!(senders.forget_silent(later), 1);
        assert_eq!(senders.nodes(), ["b"]);
        assert_eq!(senders.note("a", "1", 2, later), Arrival::New);
    }

    #[test]
    fn there_are_never_more_senders_than_the_maximum() {
        let (mut senders, now) = (Senders::default(), Instant::now());
        senders.note("genuine", "1", 1, now + Duration::from_secs(1));
        for forged in 0..5_000 {
            senders.note("forged", &forged.to_string(), 1, now);
        }
        assert_eq!(senders.heard.len(), MAX_SENDERS);
        assert_eq!(senders.note("genuine", "1", 2, now), Arrival::Next);
    }
}
