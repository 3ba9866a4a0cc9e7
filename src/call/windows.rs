//! [`Windows`]: the counter behind all rate limits, those of DDP and those of REST. Calls are counted in fixed windows; the
//! window of a key begins with its first call.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;

/// The maximum number of calls in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowRule {
    pub(crate) calls: u32,
    pub(crate) window: Duration,
}

/// The count of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowCount {
    pub(crate) rule: WindowRule,
    pub(crate) calls: u32,
    pub(crate) ends: Timestamp,
    pub(crate) now: Timestamp,
}

/// A table of counters. When it is full, the counter whose window began first makes room: keys never share a counter.
pub(crate) struct Windows<Key> {
    max: usize,
    table: Mutex<Table<Key>>,
}

struct Table<Key> {
    by_key: HashMap<Arc<Key>, Window>,
    /// The keys in the order in which their windows began. The entry of a window that was replaced stays until it is at
    /// the front.
    begun: VecDeque<(Arc<Key>, u64)>,
    last_number: u64,
}

struct Window {
    number: u64,
    calls: u32,
    ends: Timestamp,
}

impl<Key: Eq + Hash> Windows<Key> {
    /// Returns an empty table of at most `max` counters.
    pub(crate) fn new(max: usize) -> Self {
        let table = Table { by_key: HashMap::new(), begun: VecDeque::new(), last_number: 0 };
        Self { max: max.max(1), table: Mutex::new(table) }
    }

    /// Counts a call. Refused calls count as well.
    pub(crate) fn count(&self, key: Key, rule: WindowRule, now: Timestamp) -> WindowCount {
        let (calls, ends) = self.table.lock().count(key, rule, now, self.max);
        WindowCount { rule, calls, ends, now }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.table.lock().by_key.len()
    }
}

impl<Key: Eq + Hash> Table<Key> {
    fn count(&mut self, key: Key, rule: WindowRule, now: Timestamp, max: usize) -> (u32, Timestamp) {
        let ends = now.plus(rule.window);
        if let Some(window) = self.by_key.get_mut(&key) {
            // A clock that is set back, or a shorter window, does not make a client wait longer.
            if now < window.ends && window.ends <= ends {
                window.calls = window.calls.saturating_add(1);
                return (window.calls, window.ends);
            }
        }
        self.begin(key, ends, now, max);
        (1, ends)
    }

    fn begin(&mut self, key: Key, ends: Timestamp, now: Timestamp, max: usize) {
        self.drop_ended(now);
        let key = self.by_key.remove_entry(&key).map_or_else(|| Arc::new(key), |(known, _)| known);
        while self.by_key.len() >= max && self.drop_first() {}
        // Windows of different lengths end in another order than they began in.
        if self.begun.len() > 2 * max {
            let by_key = &self.by_key;
            self.begun.retain(|(key, number)| is_current(by_key, key, *number));
        }
        self.last_number = self.last_number.wrapping_add(1);
        self.begun.push_back((Arc::clone(&key), self.last_number));
        self.by_key.insert(key, Window { number: self.last_number, calls: 1, ends });
    }

    /// Drops the windows at the front that have ended. Each window is dropped once, so the cost of a call is constant on
    /// average.
    fn drop_ended(&mut self, now: Timestamp) {
        while let Some((key, number)) = self.begun.front() {
            let is_open = self.by_key.get(key).is_some_and(|own| own.number == *number && now < own.ends);
            if is_open || !self.drop_first() {
                return;
            }
        }
    }

    /// Drops the first entry, with its window unless that was replaced. Returns `false` if there is no entry.
    fn drop_first(&mut self) -> bool {
        let Some((key, number)) = self.begun.pop_front() else { return false };
        if is_current(&self.by_key, &key, number) {
            self.by_key.remove(&key);
        }
        true
    }
}

fn is_current<Key: Eq + Hash>(by_key: &HashMap<Arc<Key>, Window>, key: &Arc<Key>, number: u64) -> bool {
    by_key.get(key).is_some_and(|window| window.number == number)
}

impl WindowCount {
    /// Returns whether the call exceeds the rule.
    pub(crate) const fn is_too_many(&self) -> bool {
        self.calls > self.rule.calls
    }

    /// Returns the milliseconds until the window ends.
    pub(crate) fn milliseconds_left(&self) -> i64 {
        self.ends.milliseconds() - self.now.milliseconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: WindowRule = WindowRule { calls: 2, window: Duration::from_mins(1) };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    #[test]
    fn each_key_has_its_own_window_and_its_own_count() {
        let windows = Windows::new(100);
        let count = |key: &'static str, time| windows.count(key, RULE, at(time)).is_too_many();
        assert_eq!([count("a", 0), count("a", 1), count("a", 2), count("b", 30_000)], [false, false, true, false]);
        assert!(count("a", 59_999));
        assert!(!count("a", 60_000));
        assert_eq!([count("b", 60_001), count("b", 89_999), count("b", 90_000)], [false, true, false]);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_client_wait_longer() {
        let windows = Windows::new(100);
        let count = |time| windows.count("u", RULE, at(time)).is_too_many();
        assert_eq!([count(1_000_000), count(1_000_000), count(1_000_000)], [false, false, true]);
        assert!(!count(0));
    }

    #[test]
    fn a_full_table_drops_the_oldest_window_and_no_keys_share_a_counter() {
        let windows = Windows::new(1_000);
        for key in 0..51_000 {
            assert!(!windows.count(key, RULE, at(0)).is_too_many(), "{key}");
        }
        assert_eq!(windows.len(), 1_000);
        // The latest are still counted; the oldest begins again.
        assert_eq!(windows.count(50_999, RULE, at(1)).calls, 2);
        assert_eq!(windows.count(0, RULE, at(1)).calls, 1);
    }

    #[test]
    fn ended_windows_leave_the_table_and_its_order_is_bounded_too() {
        let windows = Windows::new(100);
        let long = WindowRule { calls: 1, window: Duration::from_hours(24) };
        windows.count(usize::MAX, long, at(0));
        for round in 0..1_000 {
            windows.count(1, RULE, at(round * 60_000));
        }
        assert!(windows.table.lock().begun.len() <= 201);
        assert_eq!(windows.len(), 2);
        windows.count(2, RULE, at(2 * 86_400_000));
        assert_eq!(windows.len(), 1);
    }
}
