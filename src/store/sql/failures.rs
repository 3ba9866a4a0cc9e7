//! Counters of failures, in SQL.

use std::time::Duration;

use super::SqlStore;
use super::columns::{optional_time, time};
use super::layer::{Row, Sql, query};
use crate::clock::Timestamp;
use crate::store::attempt::FailureCounters;
use crate::store::{Attempts, CountedAttempt, FailureRule, StoreError, StoreFuture};

/// Ends a count whose last failure is old enough, or whose block has ended if it starts again then. Of two that find the
/// same old count, the second deletes nothing: what was counted since is recent.
const END_COUNT: &str = "DELETE FROM failures WHERE key = $1 AND (last_at <= $2 OR ($3 AND blocked_until <= $4))";

/// Counts one more unless there is a block, and returns no row then.
const COUNT: &str = "INSERT INTO failures (key, failures, started_at, last_at, blocked_until) VALUES ($1, 1, $2, $2, $3) \
     ON CONFLICT (key) DO UPDATE SET failures = failures.failures + 1, last_at = excluded.last_at, \
     blocked_until = CASE WHEN failures.failures + 1 < $4 THEN NULL \
     WHEN failures.failures + 1 - $4 >= $5 THEN excluded.last_at + $7 \
     ELSE excluded.last_at + ($6 << CAST(failures.failures + 1 - $4 AS INTEGER)) END \
     WHERE failures.blocked_until IS NULL OR failures.blocked_until <= excluded.last_at \
     RETURNING failures, started_at, blocked_until";

/// Counts one less. A block that began with a later failure stays, unless there are too few failures for it now.
const REFUND: &str = "UPDATE failures SET failures = failures - 1, \
     blocked_until = CASE WHEN failures - 1 < $3 OR blocked_until = $4 THEN NULL ELSE blocked_until END \
     WHERE key = $1 AND started_at = $2 AND failures > 0";

/// Those that another transaction has locked are counted right now, and are left.
const DELETE_OLD: Sql = Sql::each(
    "DELETE FROM failures WHERE last_at < $1 AND (blocked_until IS NULL OR blocked_until <= $2)",
    "DELETE FROM failures WHERE key IN (SELECT key FROM failures WHERE last_at < $1 \
     AND (blocked_until IS NULL OR blocked_until <= $2) FOR UPDATE SKIP LOCKED)",
);

/// The same for a number of counters with the oldest failures.
const DELETE_OLDEST: Sql = Sql::each(
    "DELETE FROM failures WHERE key IN (SELECT key FROM failures \
     WHERE blocked_until IS NULL OR blocked_until <= $1 ORDER BY last_at LIMIT $2)",
    "DELETE FROM failures WHERE key IN (SELECT key FROM failures \
     WHERE blocked_until IS NULL OR blocked_until <= $1 ORDER BY last_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
);

impl FailureCounters for SqlStore {
    fn attempts<'store>(&'store self, key: &'store str) -> StoreFuture<'store, Attempts> {
        Box::pin(async move {
            let row = query("SELECT failures, blocked_until FROM failures WHERE key = $1").bind(key);
            let Some(row) = row.fetch_optional(&self.database.reader).await? else {
                return Ok(Attempts::default());
            };
            Ok(Attempts { failures: row.get_u32("failures")?, blocked_until: optional_time(&row, "blocked_until")? })
        })
    }

    fn count_attempt<'store>(
        &'store self,
        key: &'store str,
        rule: FailureRule,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<CountedAttempt>> {
        Box::pin(async move {
            let starts_again = query(END_COUNT)
                .bind(key)
                .bind(before(now, rule.forgotten_after))
                .bind(rule.starts_again())
                .bind(now.milliseconds());
            self.change(starts_again).await?;
            let counted = query(COUNT)
                .bind(key)
                .bind(now.milliseconds())
                .bind(rule.block(1).map(|block| now.plus(block).milliseconds()))
                .bind(rule.limit)
                .bind(rule.growing_blocks())
                .bind(milliseconds(rule.first_block.min(rule.longest_block)))
                .bind(milliseconds(rule.longest_block));
            counted.execute_returning(&self.database.writer).await?.as_ref().map(read_counted).transpose()
        })
    }

    fn refund_attempt<'store>(
        &'store self,
        key: &'store str,
        attempt: CountedAttempt,
        rule: FailureRule,
    ) -> StoreFuture<'store, bool> {
        self.change(
            query(REFUND)
                .bind(key)
                .bind(attempt.started_at.milliseconds())
                .bind(rule.limit)
                .bind(attempt.blocked_until.map(Timestamp::milliseconds)),
        )
    }

    fn forget_failures<'store>(&'store self, key: &'store str) -> StoreFuture<'store, ()> {
        Box::pin(async move { self.change(query("DELETE FROM failures WHERE key = $1").bind(key)).await.map(drop) })
    }

    fn delete_old_failures(&self, before: Timestamp, now: Timestamp, most: u32) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.change(query(DELETE_OLD).bind(before.milliseconds()).bind(now.milliseconds())).await?;
            let count = query("SELECT count(*) FROM failures").fetch_one(&self.database.writer).await?;
            let too_many = count.get::<i64>(0)? - i64::from(most);
            if too_many <= 0 {
                return Ok(());
            }
            self.change(query(DELETE_OLDEST).bind(now.milliseconds()).bind(too_many)).await.map(drop)
        })
    }
}

fn read_counted(row: &Row) -> Result<CountedAttempt, StoreError> {
    Ok(CountedAttempt {
        failures: row.get_u32("failures")?,
        blocked_until: optional_time(row, "blocked_until")?,
        started_at: time(row, "started_at")?,
    })
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.milliseconds().saturating_sub(milliseconds(age))
}

fn milliseconds(duration: Duration) -> i64 {
    /// A hundred years, so that no sum overflows.
    const LONGEST: i64 = 100 * 366 * 24 * 3600 * 1000;
    duration.as_millis().try_into().unwrap_or(LONGEST).min(LONGEST)
}
