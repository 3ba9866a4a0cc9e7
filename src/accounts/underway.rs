//! [`Underway`]: the attempts of this node that are counted and not yet decided.
//!
//! Which attempts are checked is decided by the counters in the store. But a counter may be full of attempts that will turn
//! out to be right, such as those of a program that logs in many times at once. An attempt that is refused waits for those
//! of its counter on this node: if one of them is refunded, it is tried again. No lock is held meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::turns::Busy;

/// The attempts of this node, by the key of their counter.
pub(super) struct Underway {
    /// The maximum number of attempts that wait for the others of one counter.
    most_waiting: usize,
    by_key: Mutex<HashMap<String, Attempts>>,
}

/// An attempt, until it is decided or dropped.
#[must_use = "the attempt has ended when it is dropped"]
pub(super) struct UnderwayAttempt {
    underway: Arc<Underway>,
    key: String,
    is_waiting: bool,
    /// The number of refunds when it began.
    since: u64,
}

#[derive(Default)]
struct Attempts {
    undecided: usize,
    waiting: usize,
    refunds: u64,
    changed: Arc<Notify>,
}

impl Underway {
    pub(super) fn new(most_waiting: usize) -> Self {
        Self { most_waiting, by_key: Mutex::default() }
    }

    /// Begins an attempt, before the store is asked to count it.
    pub(super) fn begin(self: &Arc<Self>, key: &str) -> UnderwayAttempt {
        let mut by_key = self.by_key.lock();
        let attempts = by_key.entry(key.to_owned()).or_default();
        attempts.undecided += 1;
        let since = attempts.refunds;
        UnderwayAttempt { underway: Arc::clone(self), key: key.to_owned(), is_waiting: false, since }
    }

    /// Notes that a counter has started at zero: all who wait for it try again.
    pub(super) fn forgotten(&self, key: &str) {
        if let Some(attempts) = self.by_key.lock().get_mut(key) {
            attempts.refunds += 1;
            attempts.changed.notify_waiters();
        }
    }
}

impl UnderwayAttempt {
    /// Returns whether no other attempt of its counter is undecided on this node.
    pub(super) fn is_alone(&self) -> bool {
        self.underway.by_key.lock().get(&self.key).is_none_or(|attempts| attempts.undecided <= 1)
    }

    /// Ends the attempt, which was refunded: one that waits tries again in its place.
    pub(super) fn refunded(self) {
        if let Some(attempts) = self.underway.by_key.lock().get_mut(&self.key) {
            attempts.refunds += 1;
            attempts.changed.notify_one();
        }
    }

    /// Waits, as one that was not counted, until another is refunded, or none is undecided. Returns whether to try again.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub(super) async fn wait_for_refund(mut self) -> Result<bool, Busy> {
        let Some(changed) = self.begin_to_wait()? else { return Ok(false) };
        loop {
            let mut notified = std::pin::pin!(changed.notified());
            // From here on no change is missed.
            notified.as_mut().enable();
            match self.underway.by_key.lock().get(&self.key) {
                Some(attempts) if attempts.refunds != self.since => return Ok(true),
                Some(attempts) if attempts.undecided > 0 => {}
                _ => return Ok(false),
            }
            notified.await;
        }
    }

    /// `None` if there is nothing to wait for.
    fn begin_to_wait(&mut self) -> Result<Option<Arc<Notify>>, Busy> {
        let mut by_key = self.underway.by_key.lock();
        let Some(attempts) = by_key.get_mut(&self.key) else { return Ok(None) };
        if attempts.undecided > 1 && attempts.waiting >= self.underway.most_waiting {
            return Err(Busy);
        }
        attempts.undecided -= 1;
        attempts.waiting += 1;
        self.is_waiting = true;
        if attempts.undecided == 0 {
            attempts.changed.notify_waiters();
        }
        Ok(Some(Arc::clone(&attempts.changed)))
    }
}

impl Drop for UnderwayAttempt {
    fn drop(&mut self) {
        let mut by_key = self.underway.by_key.lock();
        let Some(attempts) = by_key.get_mut(&self.key) else { return };
        if self.is_waiting {
            attempts.waiting -= 1;
        } else {
            attempts.undecided -= 1;
        }
        match (attempts.undecided, attempts.waiting) {
            (0, 0) => drop(by_key.remove(&self.key)),
            (0, _) => attempts.changed.notify_waiters(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_that_waits_tries_again_after_a_refund_and_gives_up_when_none_is_undecided() {
        let underway = Arc::new(Underway::new(2));
        let (right, wrong) = (underway.begin("a"), underway.begin("a"));
        let mut first = Box::pin(underway.begin("a").wait_for_refund());
        assert!((&mut first).now_or_never().is_none());
        right.refunded();
        assert_eq!((&mut first).now_or_never(), Some(Ok(true)));
        drop(first);
        let mut second = Box::pin(underway.begin("a").wait_for_refund());
        assert!((&mut second).now_or_never().is_none());
        drop(wrong);
        assert_eq!((&mut second).now_or_never(), Some(Ok(false)));
        drop(second);
        assert!(underway.by_key.lock().is_empty(), "nothing is kept of a counter without attempts");
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let underway = Arc::new(Underway::new(1));
        let _undecided = underway.begin("a");
        let mut first = Box::pin(underway.begin("a").wait_for_refund());
        assert!((&mut first).now_or_never().is_none());
        assert_eq!(underway.begin("a").wait_for_refund().now_or_never(), Some(Err(Busy)));
        assert_eq!(underway.begin("b").wait_for_refund().now_or_never(), Some(Ok(false)));
    }
}
