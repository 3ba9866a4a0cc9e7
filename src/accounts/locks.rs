//! [`KeyedLocks`]: a lock for each key, so that between a look at a counter and the count that follows, no other attempt
//! of the same user is checked. The line before a lock is bounded, and networks take turns in it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::turns::{Busy, LineBounds, Turn, Turns, Waiting};

/// The minimum number of keys before those whose lock is not held are dropped.
const FEW: usize = 1000;

pub(crate) struct KeyedLocks {
    bounds: LineBounds,
    locks: Mutex<Locks>,
}

/// The lock of a key, until it is dropped.
#[must_use = "the lock is released when it is dropped"]
#[derive(Debug)]
pub(crate) struct KeyLock {
    // Dropped before the lock that it is a turn of.
    _turn: Turn<1>,
    _lock: Arc<Turns<1>>,
}

#[derive(Default)]
struct Locks {
    by_key: HashMap<String, Weak<Turns<1>>>,
    /// How many were left after the last time that locks were dropped.
    held: usize,
}

impl KeyedLocks {
    pub(crate) fn new(bounds: LineBounds) -> Self {
        Self { bounds, locks: Mutex::default() }
    }

    /// Waits for the lock of the key.
    ///
    /// # Errors
    /// [`Busy`] if too many wait for it already.
    pub(crate) async fn lock(&self, key: &str, network: Waiting) -> Result<KeyLock, Busy> {
        let lock = self.locks.lock().of(key, self.bounds);
        let turn = lock.wait(0, network).await?;
        Ok(KeyLock { _turn: turn, _lock: lock })
    }
}

impl Locks {
    fn of(&mut self, key: &str, bounds: LineBounds) -> Arc<Turns<1>> {
        // Only when their number has doubled, so that the cost per lock stays constant.
        if self.by_key.len() > FEW.max(2 * self.held) {
            self.by_key.retain(|_, lock| lock.strong_count() > 0);
            self.held = self.by_key.len();
        }
        if let Some(lock) = self.by_key.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(Turns::new(1, bounds));
        self.by_key.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn free_locks_are_dropped_and_held_ones_stay_locked() {
        let locks = KeyedLocks::new(LineBounds { total: 10, of_network: 10 });
        let held = locks.lock("held", None).await.unwrap();
        for number in 0..10 * FEW {
            drop(locks.lock(&number.to_string(), None).await.unwrap());
        }

        assert!(locks.locks.lock().by_key.len() <= FEW + 1);
        let again = locks.lock("held", None);
        assert!(futures::FutureExt::now_or_never(again).is_none());
        drop(held);
        assert!(futures::FutureExt::now_or_never(locks.lock("held", None)).is_some());
    }
}
