//! [`Cache`]: what was read lately, so that a call need not read its user and token again. It is never behind the database:
//! one process holds that, every write forgets what it touches before it is acknowledged, and what was read while somebody
//! wrote is not kept.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// So many things are kept; then it begins anew.
const CAPACITY: usize = 10_000;

pub(super) struct Cache<Key, Thing> {
    state: Mutex<State<Key, Thing>>,
}

struct State<Key, Thing> {
    things: HashMap<Key, Arc<Thing>>,
    /// How many writes have ended.
    writes: u64,
    /// Writes that were abandoned: nobody knows yet whether they happened.
    uncertain: usize,
}

/// The moment at which a reader began.
#[derive(Clone, Copy)]
pub(super) struct Moment(u64);

impl<Key: Eq + Hash, Thing> Cache<Key, Thing> {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Thing>> {
        self.state.lock().things.get(key).cloned()
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.state.lock().writes)
    }

    /// Keeps what a reader has found that began at `since`, unless somebody wrote meanwhile.
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

    /// A write was abandoned, and may happen later: nothing is kept until that is known.
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

impl<Key, Thing> Default for Cache<Key, Thing> {
    fn default() -> Self {
        Self { state: Mutex::new(State { things: HashMap::new(), writes: 0, uncertain: 0 }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_while_somebody_wrote_is_not_kept() {
        let cache = Cache::default();
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
    fn nothing_is_kept_while_a_write_is_uncertain() {
        let cache = Cache::default();
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
    fn it_does_not_grow_without_bound() {
        let cache = Cache::default();
        for number in 0..CAPACITY * 3 {
            cache.keep(cache.now(), number, Arc::new(()));
        }
        assert!(cache.state.lock().things.len() <= CAPACITY);
    }
}
