//! [`Count`] and [`Level`]: a number that only grows, and one that rises and falls.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The number of times that something happened.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

/// The number of things that are there now.
#[derive(Default)]
pub(crate) struct Level(AtomicI64);

/// Something that is there. The level falls when this is dropped.
pub(crate) struct Raised(Arc<Level>);

impl Count {
    pub(crate) fn one(&self) {
        self.many(1);
    }

    pub(crate) fn many(&self, times: u64) {
        self.0.fetch_add(times, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Level {
    pub(crate) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Changes one part of the level.
    pub(crate) fn change(&self, from: usize, to: usize) {
        let of = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.0.fetch_add(of(to) - of(from), Ordering::Relaxed);
    }

    /// Returns the level. Between two threads that raise and lower it, a reader may see neither, but never less than zero.
    pub(crate) fn get(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

impl Raised {
    pub(crate) fn of(level: &Arc<Level>) -> Self {
        level.rise();
        Self(Arc::clone(level))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.fall();
    }
}
