//! The schema of an SQLite database, and how an older one is brought up to date.

use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Connection as _, Row as _};

use super::OpenError;
use crate::store::skeleton;
use crate::store::sql::folded_name_in;

/// The statements that bring the schema from each version to the next, starting with an empty database. They are never
/// changed, only added.
pub(super) const MIGRATIONS: [&str; 10] = [
    include_str!("migration_1.sql"),
    include_str!("migration_2.sql"),
    include_str!("migration_3.sql"),
    WITH_SKELETONS,
    include_str!("migration_5.sql"),
    include_str!("migration_6.sql"),
    include_str!("migration_7.sql"),
    include_str!("migration_8.sql"),
    WITH_FOLDED_NAMES,
    include_str!("migration_10.sql"),
];

/// The migration after which usernames have skeletons, which SQL cannot compute.
const WITH_SKELETONS: &str = include_str!("migration_4.sql");

/// The migration after which users have a folded name, which SQL cannot compute.
const WITH_FOLDED_NAMES: &str = include_str!("migration_9.sql");

/// Brings the schema up to date. Fails if the database was written by a newer version.
pub(super) async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let failed = |reason| OpenError::failed(path, reason);
    let mut connection = writer.acquire().await.map_err(failed)?;
    let check: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await.map_err(failed)?;
    if check != "ok" {
        return Err(OpenError::Damaged { path: path.to_owned(), reason: check.into() });
    }
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(failed)?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    let Some(missing) = MIGRATIONS.get(found..) else {
        let database = path.display().to_string();
        return Err(OpenError::Newer { database, found, known: MIGRATIONS.len() });
    };
    for (version, migration) in (found + 1..).zip(missing) {
        let mut whole = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::raw_sql(*migration).execute(&mut *whole).await.map_err(failed)?;
        match *migration {
            WITH_SKELETONS => fill_in_skeletons(&mut whole).await.map_err(failed)?,
            WITH_FOLDED_NAMES => fill_in_folded_names(&mut whole).await.map_err(failed)?,
            _ => {}
        }
        let done = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        sqlx::raw_sql(done).execute(&mut *whole).await.map_err(failed)?;
        whole.commit().await.map_err(failed)?;
    }
    if found > 0 && !missing.is_empty() {
        // Older versions did not overwrite what they deleted.
        sqlx::raw_sql("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

/// Fills in what usernames look like, for users that were stored without it.
async fn fill_in_skeletons(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let named = "SELECT id, username FROM users WHERE username IS NOT NULL";
    let rows = sqlx::query(named).fetch_all(&mut *connection).await?;
    for row in rows {
        let (id, name): (String, String) = (row.try_get("id")?, row.try_get("username")?);
        let filled =
            sqlx::query("UPDATE users SET username_skeleton = $2 WHERE id = $1").bind(id).bind(skeleton(&name));
        filled.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Fills in the names that searches compare, for users that were stored without them.
async fn fill_in_folded_names(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let named = "SELECT id, fields FROM users WHERE fields LIKE '%\"name\"%'";
    let rows = sqlx::query(named).fetch_all(&mut *connection).await?;
    for row in rows {
        let (id, fields): (String, String) = (row.try_get("id")?, row.try_get("fields")?);
        let Some(name) = folded_name_in(&fields) else { continue };
        let filled = sqlx::query("UPDATE users SET name_folded = $2 WHERE id = $1").bind(id).bind(name);
        filled.execute(&mut *connection).await?;
    }
    Ok(())
}
