//! [`CollectionFigures`]: what is counted of a collection. The collections of an app are kept in a slot of its core.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::core::CollectionCore;
use super::edit::Step;
use super::error::CollectionError;
use crate::figures::{Count, Durations, DurationsSnapshot};

/// The collections of an app, in the order in which it was given them.
pub(crate) struct AppCollections(pub(crate) Vec<Arc<CollectionCore>>);

/// The writes of a collection.
#[derive(Default)]
pub(super) struct WriteFigures {
    durations: Durations,
    failed: Count,
}

/// What is counted of a collection.
pub(crate) struct CollectionFigures {
    pub(crate) live_queries: usize,
    pub(crate) queries: DurationsSnapshot,
    pub(crate) writes: DurationsSnapshot,
    /// The number of writes that have failed; they are among the durations.
    pub(crate) failed_writes: u64,
}

/// A write that is being made.
pub(super) struct Timed {
    begin: Instant,
    /// Its collections, each once.
    cores: SmallVec<[Arc<CollectionCore>; 1]>,
}

impl Timed {
    pub(super) fn begin(steps: &[(Arc<CollectionCore>, Step)]) -> Self {
        let mut cores = SmallVec::<[Arc<CollectionCore>; 1]>::new();
        for (core, _) in steps {
            if !cores.iter().any(|known| Arc::ptr_eq(known, core)) {
                cores.push(Arc::clone(core));
            }
        }
        Self { begin: Instant::now(), cores }
    }

    /// Counts the write in each of its collections.
    pub(super) fn end<T>(self, outcome: &Result<T, CollectionError>) {
        let took = self.begin.elapsed();
        for core in &self.cores {
            core.writes.count(took, outcome.is_err());
        }
    }
}

impl WriteFigures {
    fn count(&self, took: Duration, has_failed: bool) {
        self.durations.count(took);
        if has_failed {
            self.failed.one();
        }
    }
}

impl CollectionCore {
    pub(crate) fn figures(&self) -> CollectionFigures {
        CollectionFigures {
            live_queries: self.live_query_count(),
            queries: self.slow.durations(),
            writes: self.writes.durations.snapshot(),
            failed_writes: self.writes.failed.get(),
        }
    }
}
