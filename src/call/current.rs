//! [`Current`]: a value that every call reads without a lock, and that is replaced as a whole while the app runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

/// A value that is read often and changed rarely.
pub(crate) struct Current<T> {
    value: ArcSwap<T>,
    /// Increased after the value is replaced, and read before it: a cached value may be newer than its version, never older.
    version: AtomicU64,
    /// Held during a change, so that changes do not overwrite each other.
    changing: Mutex<()>,
}

/// A value as it was last read, for many reads in one poll.
pub(crate) struct Cached<T> {
    version: u64,
    value: Arc<T>,
}

impl<T: Clone> Current<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: ArcSwap::from_pointee(value), version: AtomicU64::new(0), changing: Mutex::new(()) }
    }

    /// Returns the value for a short time: not across an `await`.
    pub(crate) fn read(&self) -> Guard<Arc<T>> {
        self.value.load()
    }

    /// Returns the value like [`read`](Self::read), for many reads in a row: it is read again only if it has changed. The last
    /// reference to what the application has captured in handlers may be dropped here.
    pub(crate) fn read_cached<'cached>(&self, cached: &'cached mut Option<Cached<T>>) -> &'cached T {
        if !self.is_current(cached.as_ref()) {
            *cached = None;
        }
        let read = || Cached { version: self.version.load(Ordering::Acquire), value: self.value.load_full() };
        &cached.get_or_insert_with(read).value
    }

    /// Returns whether the value has not been replaced since it was read.
    pub(crate) fn is_current(&self, cached: Option<&Cached<T>>) -> bool {
        cached.is_some_and(|cached| cached.version == self.version.load(Ordering::Acquire))
    }

    /// Changes a copy of the value, which then replaces it.
    pub(crate) fn change<Output>(&self, act: impl FnOnce(&mut T) -> Output) -> Output {
        let one_at_a_time = self.changing.lock();
        let mut value = T::clone(&self.value.load());
        let output = act(&mut value);
        let old = self.value.swap(Arc::new(value));
        self.version.fetch_add(1, Ordering::Release);
        drop(one_at_a_time);
        // What the application has captured in handlers may be dropped here, and may change this value again.
        drop(old);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_many_threads_are_all_kept_and_readers_keep_what_they_read() {
        let current = Current::new(Vec::new());
        let before = current.read();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let current = &current;
                scope.spawn(move || (0..100).for_each(|round| current.change(|all| all.push((number, round)))));
            }
        });
        assert_eq!((before.len(), current.read().len()), (0, 800));
    }

    #[test]
    fn a_change_is_seen_by_the_next_cached_read() {
        let current = Current::new(vec![1]);
        let mut cached = None;
        assert_eq!(current.read_cached(&mut cached), &[1]);
        current.change(|all| all.push(2));
        assert_eq!(current.read_cached(&mut cached), &[1, 2]);
        assert_eq!(current.read_cached(&mut cached), &[1, 2]);
    }
}
