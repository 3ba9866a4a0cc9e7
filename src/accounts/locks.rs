//! [`KeyedLocks`]: a lock for each key, so that between a look at a counter and the count that follows, no other attempt
//! of the same user is checked.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The minimum number of keys before those whose lock is not held are dropped.
const FEW: usize = 1000;

#[derive(Default)]
pub(crate) struct KeyedLocks {
    locks: Mutex<Locks>,
}

#[derive(Default)]
struct Locks {
    by_key: HashMap<String, Weak<AsyncMutex<()>>>,
    /// How many were left after the last time that locks were dropped.
    held: usize,
}

impl KeyedLocks {
    /// Waits for the lock of the key.
    pub(crate) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = self.locks.lock().of(key);
        lock.lock_owned().await
    }
}

impl Locks {
    fn of(&mut self, key: &str) -> Arc<AsyncMutex<()>> {
        // Only when their number has doubled, so that the cost per lock stays constant.
        if self.by_key.len() > FEW.max(2 * self.held) {
            self.by_key.retain(|_, lock| lock.strong_count() > 0);
            self.held = self.by_key.len();
        }
        if let Some(lock) = self.by_key.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(AsyncMutex::new(()));
        self.by_key.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn free_locks_are_dropped_and_held_ones_stay_locked() {
        let locks = KeyedLocks::default();
        let held = locks.lock("held").await;
        for number in 0..10 * FEW {
            drop(locks.lock(&number.to_string()).await);
        }

        assert!(locks.locks.lock().by_key.len() <= FEW + 1);
        let again = locks.lock("held");
        assert!(futures::FutureExt::now_or_never(again).is_none());
        drop(held);
        assert!(futures::FutureExt::now_or_never(locks.lock("held")).is_some());
    }
}
