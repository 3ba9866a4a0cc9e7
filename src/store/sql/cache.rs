//! [`Cache`]: values that were read recently, so that a call does not read its user and token again.
//!
//! In SQLite it is never out of date: only one process opens the database, every write removes what it touches before it
//! returns, and a value that was read during a write is not kept. In PostgreSQL, other nodes write as well: their writes
//! are told, and what is kept is used only under a [`Lease`] that ends when they may not have been told.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use super::lease::Lease;

/// The maximum number of values. When it is reached, the cache is emptied.
const CAPACITY: usize = 10_000;

pub(super) struct Cache<Key, Thing> {
    lease: Arc<Lease>,
    state: Mutex<State<Key, Thing>>,
}

struct State<Key, Thing> {
    things: HashMap<Key, Arc<Thing>>,
    /// The number of writes that have ended.
    writes: u64,
    /// The number of writes whose outcome is not known yet.
    uncertain: usize,
}

/// The moment at which a read began.
#[derive(Clone, Copy)]
pub(super) struct Moment(u64);

impl<Key: Eq + Hash, Thing> Cache<Key, Thing> {
    pub(super) fn new(lease: Arc<Lease>) -> Self {
        Self { lease, state: Mutex::new(State { things: HashMap::new(), writes: 0, uncertain: 0 }) }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Thing>> {
        if !self.lease.holds() {
            return None;
        }
        self.state.lock().things.get(key).cloned()
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.state.lock().writes)
    }

    /// Keeps a value whose read began at `since`, unless there was a write since then.
    pub(super) fn keep(&self, since: Moment, key: Key, thing: Arc<Thing>) {
        let mut state = self.state.lock();
        if state.writes != since.0 || state.uncertain > 0 {
            return;
        }
        if state.things.len() >= CAPACITY {
            state.things.clear();
        }
        state.things.insert(key, thing);
    }

    pub(super) fn forget(&self, key: &Key) {
        let mut state = self.state.lock();
        state.writes += 1;
        state.things.remove(key);
    }

    pub(super) fn forget_all(&self) {
        let mut state = self.state.lock();
        state.writes += 1;
        state.things.clear();
    }

    /// Empties the cache and keeps nothing until [`resume`](Self::resume): the outcome of a write is not known.
    pub(super) fn suspend(&self) {
        let mut state = self.state.lock();
        state.uncertain += 1;
        state.things.clear();
    }

    pub(super) fn resume(&self) {
        let mut state = self.state.lock();
        state.uncertain -= 1;
        state.writes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_read_during_a_write_is_not_cached() {
        let cache = Cache::new(Arc::new(Lease::alone()));
        let reader = cache.now();
        cache.forget(&"somebody else");
        cache.keep(reader, "a", Arc::new(1));
        assert!(cache.get(&"a").is_none());
        cache.keep(cache.now(), "a", Arc::new(2));
        assert_eq!(cache.get(&"a").as_deref(), Some(&2));
        cache.forget(&"a");
        assert!(cache.get(&"a").is_none());
    }

    #[test]
    fn values_are_not_cached_while_a_write_is_uncertain() {
        let cache = Cache::new(Arc::new(Lease::alone()));
        cache.keep(cache.now(), "a", Arc::new(1));
        cache.suspend();
        assert!(cache.get(&"a").is_none());
        let reader = cache.now();
        cache.keep(reader, "a", Arc::new(1));
        assert!(cache.get(&"a").is_none());
        cache.resume();
        cache.keep(reader, "a", Arc::new(1));
        assert!(cache.get(&"a").is_none(), "it was read before the write was certain");
        cache.keep(cache.now(), "a", Arc::new(2));
        assert!(cache.get(&"a").is_some());
    }

    #[test]
    fn nothing_is_returned_without_a_lease() {
        let lease = Arc::new(Lease::shared());
        let cache = Cache::new(Arc::clone(&lease));
        cache.keep(cache.now(), "a", Arc::new(1));
        assert!(cache.get(&"a").is_none());
        lease.renew(std::time::Instant::now());
        assert!(cache.get(&"a").is_some());
        lease.end();
        assert!(cache.get(&"a").is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::new(Arc::new(Lease::alone()));
        for number in 0..CAPACITY * 3 {
            cache.keep(cache.now(), number, Arc::new(()));
        }
        assert!(cache.state.lock().things.len() <= CAPACITY);
    }
}
