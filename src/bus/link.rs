//! [`Link`]: whether the bus brings messages, and whether this node has what the others have told.
//!
//! A node holds a lease on the bus: each second it sends a beat, and the bus brings it back. If none has come back for three
//! seconds, the bus is lost, whatever the connection looks like: a server that hangs closes nothing. The node then asks the
//! store every second, and once more when a beat has come back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How long the lease holds, from when the beat that came back was sent.
const LEASE: Duration = Duration::from_secs(3);

/// The maximum number of beats that may still come back.
const MAX_BEATS: usize = 8;

/// How far a node may be behind the others and still be sent clients.
const MAX_BEHIND: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Link {
    state: State,
    /// Whether operators were told that the bus is lost, and not yet that it is back.
    is_told_lost: bool,
    /// The beats that may still come back, with their numbers and when they were sent.
    beats: VecDeque<(u64, Instant)>,
    /// When the last beat that has come back was sent; before the first one, when the node joined.
    held_from: Instant,
    /// How often something was missed, and for how many of these times the store was asked.
    misses: u64,
    answered: u64,
    /// When this node last had all that the others had told. `None` while it starts.
    fresh: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No beat comes back.
    Silent,
    /// A beat has come back, and the store was not asked since.
    Returning,
    /// The node hears what the others tell.
    Held,
}

/// A change of the link that operators are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The bus is lost.
    Lost,
    /// The bus is back, and the node has caught up.
    Returned,
    /// The node has joined, and has caught up.
    Joined,
}

/// An attempt to catch up, from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    begun: Instant,
    misses: u64,
}

/// Whether a node that asks the store hears the other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// It hears them, and has missed something.
    Others,
    /// It does not hear them, and asks every second.
    Nothing,
}

/// Whether a node should be sent clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not caught up yet since it started.
    Starting,
    /// It is more than five seconds behind the other nodes.
    Behind,
    /// It does not hear the other nodes, and asks the store.
    Degraded,
    /// It hears the other nodes.
    Good,
}

impl Link {
    pub(super) fn joined(now: Instant) -> Self {
        Self {
            state: State::Silent,
            is_told_lost: false,
            beats: VecDeque::new(),
            held_from: now,
            misses: 0,
            answered: 0,
            fresh: None,
        }
    }

    /// Notes that a beat is sent.
    pub(super) fn beat(&mut self, n: u64, now: Instant) {
        if self.beats.len() >= MAX_BEATS {
            self.beats.pop_front();
        }
        self.beats.push_back((n, now));
    }

    /// Notes that a message of this node has come back. Returns whether the store must be asked.
    pub(super) fn came_back(&mut self, n: u64, now: Instant) -> bool {
        let Some(place) = self.beats.iter().position(|(beat, _)| *beat == n) else { return false };
        let Some((_, sent)) = self.beats.drain(..=place).next_back() else { return false };
        if now.duration_since(sent) > LEASE {
            // It was held up; those after it may be in time.
            return false;
        }
        self.held_from = sent;
        if self.state == State::Silent {
            self.state = State::Returning;
            // Also when the node joins: the others may have told something since it read the store.
            self.misses += 1;
            return true;
        }
        if !self.is_missing() {
            self.fresh = self.fresh.max(Some(sent));
        }
        false
    }

    /// Ends the lease if no beat has come back in time.
    pub(super) fn check(&mut self, now: Instant) -> Option<Turn> {
        if now.duration_since(self.held_from) > LEASE { self.lose() } else { None }
    }

    /// Ends the lease, since the connection is lost. What was sent until now does not renew it.
    pub(super) fn disconnected(&mut self) -> Option<Turn> {
        self.beats.clear();
        self.lose()
    }

    /// Notes that something was missed.
    pub(super) const fn missed(&mut self) {
        self.misses += 1;
    }

    /// Returns whether the store must be asked: once for what was missed, and again and again while the bus is lost.
    pub(super) fn must_catch_up(&self) -> bool {
        self.is_missing() || (self.is_told_lost && self.state == State::Silent)
    }

    pub(super) fn hearing(&self) -> Hearing {
        if self.state == State::Silent { Hearing::Nothing } else { Hearing::Others }
    }

    pub(super) const fn begin(&self, now: Instant) -> Attempt {
        Attempt { begun: now, misses: self.misses }
    }

    /// Notes that an attempt to catch up has succeeded.
    pub(super) fn caught_up(&mut self, attempt: Attempt) -> Option<Turn> {
        self.answered = self.answered.max(attempt.misses);
        self.fresh = self.fresh.max(Some(attempt.begun));
        if self.state != State::Returning || self.is_missing() {
            return None;
        }
        self.state = State::Held;
        let was_lost = std::mem::take(&mut self.is_told_lost);
        Some(if was_lost { Turn::Returned } else { Turn::Joined })
    }

    /// Returns the time since this node last had all that the others had told. `None` while it starts.
    pub(super) fn behind(&self, now: Instant) -> Option<Duration> {
        self.fresh.map(|fresh| now.duration_since(fresh))
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.fresh {
            None => Standing::Starting,
            Some(fresh) if now.duration_since(fresh) > MAX_BEHIND => Standing::Behind,
            Some(_) if self.state == State::Held => Standing::Good,
            Some(_) => Standing::Degraded,
        }
    }

    fn lose(&mut self) -> Option<Turn> {
        self.state = State::Silent;
        let was_told = std::mem::replace(&mut self.is_told_lost, true);
        (!was_told).then_some(Turn::Lost)
    }

    const fn is_missing(&self) -> bool {
        self.misses > self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A link that is held.
    fn held(now: Instant) -> Link {
        let mut link = Link::joined(now);
        link.beat(1, now);
        assert!(link.came_back(1, now));
        assert_eq!(link.standing(now), Standing::Starting);
        assert_eq!(link.caught_up(link.begin(now)), Some(Turn::Joined));
        assert_eq!(link.standing(now), Standing::Good);
        link
    }

    #[test]
    fn a_link_is_held_as_long_as_beats_come_back() {
        let mut now = Instant::now();
        let mut link = held(now);
        for n in 2..100 {
            link.beat(n, now);
            now += SECOND;
            assert!(!link.came_back(n, now));
            assert_eq!((link.check(now), link.standing(now)), (None, Standing::Good));
            assert!(!link.must_catch_up());
        }
        let later = now + 4 * SECOND;
        assert_eq!(link.check(later), Some(Turn::Lost));
        assert_eq!(link.check(later), None, "it is said once");
        assert!(link.must_catch_up());
    }

    #[test]
    fn a_lost_link_is_back_after_a_beat_and_after_the_store_was_asked() {
        let now = Instant::now();
        let mut link = held(now);
        link.beat(2, now);
        assert_eq!(link.disconnected(), Some(Turn::Lost));
        assert_eq!(link.standing(now), Standing::Degraded);
        assert!(!link.came_back(2, now), "it was sent before");
        let before = link.begin(now);
        link.beat(3, now);
        assert!(link.came_back(3, now));
        assert_eq!(link.caught_up(before), None, "the store was asked before the beat came back");
        assert_eq!(link.standing(now), Standing::Degraded);
        assert_eq!(link.caught_up(link.begin(now)), Some(Turn::Returned));
        assert_eq!(link.standing(now), Standing::Good);
    }

    #[test]
    fn a_node_that_never_hears_itself_is_ready_after_it_has_asked_the_store() {
        let now = Instant::now();
        let mut link = Link::joined(now);
        assert!(!link.must_catch_up());
        let later = now + 4 * SECOND;
        assert_eq!(link.check(later), Some(Turn::Lost));
        assert_eq!(link.standing(later), Standing::Starting);
        assert!(link.must_catch_up());
        assert_eq!(link.caught_up(link.begin(later)), None);
        assert_eq!(link.standing(later), Standing::Degraded);
        assert_eq!(link.standing(later + 6 * SECOND), Standing::Behind, "the store was not asked again");
    }

    #[test]
    fn a_beat_that_was_held_up_does_not_renew_the_lease() {
        let now = Instant::now();
        let mut link = held(now);
        link.beat(2, now);
        let later = now + 10 * SECOND;
        link.check(later);
        assert!(!link.came_back(2, later));
        assert_eq!(link.standing(later), Standing::Behind);
    }

    #[test]
    fn a_node_is_behind_until_the_store_has_answered_what_it_missed() {
        let mut now = Instant::now();
        let mut link = held(now);
        link.missed();
        for n in 2..8 {
            now += SECOND;
            link.beat(n, now);
            link.came_back(n, now);
        }
        assert_eq!(link.standing(now), Standing::Behind);
        let attempt = link.begin(now);
        link.missed();
        link.caught_up(attempt);
        assert!(link.must_catch_up(), "it missed something again meanwhile");
        assert_eq!(link.standing(now), Standing::Good);
    }

    #[test]
    fn beats_that_do_not_come_back_are_not_kept() {
        let now = Instant::now();
        let mut link = Link::joined(now);
        (0..1_000).for_each(|n| link.beat(n, now));
        assert_eq!(link.beats.len(), MAX_BEATS);
    }
}
