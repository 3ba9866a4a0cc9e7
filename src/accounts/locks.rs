//! [`KeyedLocks`]: one at a time for each key. Between looking at a counter of failures and counting, no other attempt of
//! the same user comes in between.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// So many keys are kept before those that nobody holds are dropped.
const FEW: usize = 1000;

#[derive(Default)]
pub(crate) struct KeyedLocks {
    locks: Mutex<Locks>,
}

#[derive(Default)]
struct Locks {
    by_key: HashMap<String, Weak<AsyncMutex<()>>>,
    /// How many were left when they were last looked through.
    held: usize,
}

impl KeyedLocks {
    /// Waits until nobody else holds the key's lock.
    pub(crate) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = self.locks.lock().of(key);
        lock.lock_owned().await
    }
}

impl Locks {
    fn of(&mut self, key: &str) -> Arc<AsyncMutex<()>> {
        // Looked through only when they have doubled, so that a crowd costs each of its members little.
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
    async fn what_nobody_holds_is_dropped_and_what_is_held_stays_locked() {
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
