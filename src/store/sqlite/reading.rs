//! [`Reading`]: a file that is only read, and what is wrong with it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::migrations::MIGRATIONS;
use super::{OpenError, on_one_connection, pool};
use crate::store::SqlStore;
use crate::store::inspection::Thoroughness;

/// The maximum number of faults that a check reports.
const FAULTS: usize = 20;

/// A file that is open for reading.
pub(in crate::store) struct Reading {
    path: PathBuf,
    pool: SqlitePool,
    bytes: u64,
    version: usize,
}

impl Reading {
    /// Opens a database that servers may use. It is not locked, so one can go on or start.
    pub(in crate::store) async fn in_use(path: &Path) -> Result<Self, OpenError> {
        let bytes = match fs::metadata(path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(OpenError::Missing(path.to_owned())),
            Err(reason) => return Err(OpenError::File { path: path.to_owned(), reason }),
        };
        if bytes == 0 {
            return Err(OpenError::Emptied { path: path.to_owned() });
        }
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(10));
        Self::open(path, bytes, options).await.map_err(|reason| OpenError::failed(path, reason))
    }

    /// Opens a file that does not change. No other file is created beside it.
    pub(in crate::store) async fn at_rest(path: &Path) -> Result<Self, sqlx::Error> {
        let bytes = fs::metadata(path)?.len();
        let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
        Self::open(path, bytes, options).await
    }

    async fn open(path: &Path, bytes: u64, options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let pool = pool(1).connect_with(options).await?;
        // What is not a database is noticed by the first statement that reads from it.
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await?;
        sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&pool).await?;
        Ok(Self { path: path.to_owned(), pool, bytes, version: usize::try_from(version).unwrap_or(usize::MAX) })
    }

    /// Returns the size of the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Returns the path of the file as text.
    pub(in crate::store) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the version of the schema. It is 0 for a database of another program, too.
    pub(in crate::store) const fn version(&self) -> usize {
        self.version
    }

    /// Returns the version of the schema that this program knows.
    pub(in crate::store) const fn known() -> usize {
        MIGRATIONS.len()
    }

    pub(in crate::store) const fn has_current_schema(&self) -> bool {
        self.version == Self::known()
    }

    /// Returns what is wrong with the file: pages, references to rows that are missing, and if it is thorough, indexes.
    pub(in crate::store) async fn faults(&self, thoroughness: Thoroughness) -> Result<Vec<String>, sqlx::Error> {
        let check = match thoroughness {
            Thoroughness::Quick => "quick_check",
            Thoroughness::Thorough => "integrity_check",
        };
        let check = sqlx::AssertSqlSafe(format!("PRAGMA {check}({FAULTS})"));
        let mut faults: Vec<String> = sqlx::query_scalar(check).fetch_all(&self.pool).await?;
        faults.retain(|fault| fault != "ok");
        let missing = "SELECT 'a row of ' || \"table\" || ' refers to a missing row of ' || \"parent\" \
             FROM pragma_foreign_key_check LIMIT 20";
        faults.extend(sqlx::query_scalar::<_, String>(missing).fetch_all(&self.pool).await?);
        Ok(faults)
    }

    /// Returns the store, which can only be read.
    pub(in crate::store) fn into_store(self) -> SqlStore {
        SqlStore::new(on_one_connection(self.pool))
    }
}
