//! [`PoolFigures`]: the statements on a pool of connections to a database, and who wants a connection.

use std::sync::Arc;
use std::time::Instant;

use super::{Count, Durations, DurationsSnapshot, Level, Raised};

/// The statements on a pool of connections.
#[derive(Default)]
pub(crate) struct PoolFigures {
    statements: Durations,
    failed: Count,
    /// Statements and transactions that have a connection or wait for one.
    users: Arc<Level>,
}

/// A pool of connections as it is now.
#[derive(Debug)]
#[expect(unnameable_types, reason = "applications do not call what returns it")]
pub struct PoolReport {
    /// What the pool is for: `reader`, `writer`, or `all`.
    pub(crate) pool: &'static str,
    pub(crate) size: usize,
    pub(crate) idle: usize,
    /// The statements and transactions that wait for a connection, as far as the others say.
    pub(crate) waiting: usize,
    pub(crate) statements: DurationsSnapshot,
    /// The number of statements that have failed; they are among the durations.
    pub(crate) failed: u64,
}

/// A statement that runs.
pub(crate) struct TimedStatement<'pool> {
    figures: &'pool PoolFigures,
    begin: Instant,
    _user: Option<Raised>,
}

impl PoolFigures {
    /// Begins a statement on a connection of the pool, which it may have to wait for.
    pub(crate) fn statement(&self) -> TimedStatement<'_> {
        TimedStatement { figures: self, begin: Instant::now(), _user: Some(self.user()) }
    }

    /// Begins a statement of a transaction, which has a connection.
    pub(crate) fn statement_in_transaction(&self) -> TimedStatement<'_> {
        TimedStatement { figures: self, begin: Instant::now(), _user: None }
    }

    /// Notes that a connection is wanted, until this is dropped.
    pub(crate) fn user(&self) -> Raised {
        Raised::of(&self.users)
    }

    pub(crate) fn report(&self, pool: &'static str, size: u32, idle: usize) -> PoolReport {
        let size = size as usize;
        let waiting = usize::try_from(self.users.get()).unwrap_or(usize::MAX).saturating_sub(size.saturating_sub(idle));
        let (statements, failed) = (self.statements.snapshot(), self.failed.get());
        PoolReport { pool, size, idle: idle.min(size), waiting, statements, failed }
    }
}

impl TimedStatement<'_> {
    /// Counts the statement, which has ended.
    pub(crate) fn end<T, E>(self, outcome: Result<T, E>) -> Result<T, E> {
        self.figures.statements.count(self.begin.elapsed());
        if outcome.is_err() {
            self.figures.failed.one();
        }
        outcome
    }
}

impl std::fmt::Debug for PoolFigures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PoolFigures").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Raised {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Raised").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_a_connection_beyond_those_in_use_waits() {
        let figures = PoolFigures::default();
        let running = [figures.user(), figures.user(), figures.user()];
        let report = figures.report("all", 2, 0);
        assert_eq!((report.size, report.idle, report.waiting), (2, 0, 1));
        drop(running);
        let failed: Result<(), ()> = figures.statement().end(Err(()));
        let report = figures.report("all", 2, 2);
        assert_eq!((report.waiting, report.statements.count(), report.failed), (0, 1, 1));
        assert!(failed.is_err());
    }
}
