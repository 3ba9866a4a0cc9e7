//! [`Current`]: a value that every call reads without a lock, and that is replaced as a whole while the app runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

/// A value that is read often and changed rarely.
pub(crate) struct Current<T> {
    value: ArcSwap<T>,
    /// Increased after each change.
    version: AtomicU64,
    /// Held during a change, so that changes do not overwrite each other.
    changing: Mutex<()>,
}

/// A value that was read, for further looks of a task that lasts shortly.
pub(crate) struct Kept<T> {
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

    /// The same for many looks in a row: the value is read once and kept, and read again if it has changed.
    pub(crate) fn look<'kept>(&self, kept: &'kept mut Option<Kept<T>>) -> &'kept T {
        let version = self.version.load(Ordering::Acquire);
        if kept.as_ref().is_none_or(|kept| kept.version != version) {
            *kept = None;
        }
        &kept.get_or_insert_with(|| Kept { version, value: self.value.load_full() }).value
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
    fn a_change_is_seen_at_the_next_look() {
        let current = Current::new(vec![1]);
        let mut kept = None;
        assert_eq!(current.look(&mut kept), &[1]);
        current.change(|all| all.push(2));
        assert_eq!(current.look(&mut kept), &[1, 2]);
        assert_eq!(current.look(&mut kept), &[1, 2]);
    }
}
