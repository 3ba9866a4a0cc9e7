//! The schema of a PostgreSQL database, and how an older one is brought up to date.
//!
//! Nodes of two versions may run side by side: while the nodes of a cluster are updated one after the other, the first
//! new one changes the schema, and the old ones go on. So a migration only adds what old versions do without, and says
//! which is the oldest schema whose programs may go on.

use std::cmp::Ordering;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Row as _};

use super::OpenError;

/// The statements that bring the schema from each version to the next, starting with an empty database. They are never
/// changed, only added.
pub(super) const MIGRATIONS: [Migration; 3] = [
    Migration { sql: include_str!("migration_1.sql"), oldest: 1 },
    Migration { sql: include_str!("migration_2.sql"), oldest: 1 },
    Migration { sql: include_str!("migration_3.sql"), oldest: 1 },
];

/// A step from one version of the schema to the next.
pub(super) struct Migration {
    sql: &'static str,
    /// The oldest version of the schema whose programs may use a database after this step.
    oldest: usize,
}

/// The advisory lock under which one node migrates and the others wait: `bolide` in ASCII.
const LOCK: i64 = 0x626f_6c69_6465_0000;

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS bolide_schema \
     (id BIGINT PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL, oldest BIGINT NOT NULL); \
     INSERT INTO bolide_schema (id, version, oldest) VALUES (1, 0, 0) ON CONFLICT DO NOTHING";

/// Brings the schema up to date, in one transaction. Fails if the database was written by a version so much newer that
/// this one cannot use it.
pub(super) async fn migrate(pool: &PgPool, database: &str) -> Result<(), OpenError> {
    let failed = |reason: sqlx::Error| OpenError::Schema { database: database.to_owned(), reason: reason.into() };
    let mut whole = pool.begin().await.map_err(failed)?;
    let (found, oldest) = lock_and_read(&mut whole).await.map_err(failed)?;
    let known = MIGRATIONS.len();
    if known < oldest {
        return Err(OpenError::Newer { database: database.to_owned(), found, known });
    }
    for (version, migration) in (found + 1..).zip(MIGRATIONS.iter().skip(found)) {
        apply(&mut whole, version, migration).await.map_err(failed)?;
    }
    whole.commit().await.map_err(failed)
}

/// Returns the version of the schema that this program knows.
pub(in crate::store) const fn known_version() -> usize {
    MIGRATIONS.len()
}

/// Fails unless the schema is that of this version. Changes nothing.
pub(super) async fn require_current(pool: &PgPool, database: &str) -> Result<(), OpenError> {
    let failed = |reason: sqlx::Error| OpenError::Schema { database: database.to_owned(), reason: reason.into() };
    let found = version(pool).await.map_err(failed)?;
    let (database, known) = (database.to_owned(), MIGRATIONS.len());
    match found.cmp(&known) {
        Ordering::Less => Err(OpenError::Older { database, found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(OpenError::Newer { database, found, known }),
    }
}

/// Returns the version of the schema, which is 0 in a database that no server has used.
async fn version(pool: &PgPool) -> Result<usize, sqlx::Error> {
    let exists = sqlx::query_scalar("SELECT to_regclass('bolide_schema') IS NOT NULL");
    if !exists.fetch_one(pool).await? {
        return Ok(0);
    }
    let version: i64 = sqlx::query_scalar("SELECT version FROM bolide_schema").fetch_one(pool).await?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Waits until no other node migrates. Returns the version of the schema, and the oldest whose programs may use it.
async fn lock_and_read(whole: &mut PgConnection) -> Result<(usize, usize), sqlx::Error> {
    // Another node may migrate for as long as it takes.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").execute(&mut *whole).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *whole).await?;
    sqlx::raw_sql(VERSIONS).execute(&mut *whole).await?;
    let row = sqlx::query("SELECT version, oldest FROM bolide_schema").fetch_one(&mut *whole).await?;
    let number = |column| Ok::<_, sqlx::Error>(usize::try_from(row.try_get::<i64, _>(column)?).unwrap_or(usize::MAX));
    Ok((number("version")?, number("oldest")?))
}

async fn apply(whole: &mut PgConnection, version: usize, migration: &Migration) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(migration.sql).execute(&mut *whole).await?;
    let oldest = migration.oldest;
    let done = format!("UPDATE bolide_schema SET version = {version}, oldest = {oldest}");
    sqlx::raw_sql(AssertSqlSafe(done)).execute(whole).await.map(drop)
}
