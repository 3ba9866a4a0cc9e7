//! [`Current`]: a value that every call reads without a lock, and that is replaced as a whole while the app runs.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

/// A value that is read often and changed rarely.
pub(crate) struct Current<T> {
    value: ArcSwap<T>,
    /// Held during a change, so that changes do not overwrite each other.
    changing: Mutex<()>,
}

impl<T: Clone> Current<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: ArcSwap::from_pointee(value), changing: Mutex::new(()) }
    }

    /// Returns the value for a short time: not across an `await`.
    pub(crate) fn read(&self) -> Guard<Arc<T>> {
        self.value.load()
    }

    /// Changes a copy of the value, which then replaces it.
    pub(crate) fn change<Output>(&self, act: impl FnOnce(&mut T) -> Output) -> Output {
        let one_at_a_time = self.changing.lock();
        let mut value = T::clone(&self.value.load());
        let output = act(&mut value);
        let old = self.value.swap(Arc::new(value));
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
}
