//! [`SqliteStore`]: the store in one SQLite file, or in memory.
//!
//! One connection writes, several read. A write that has returned is on the disk (WAL, `synchronous = FULL`). A lock file
//! beside the database keeps a second process from opening it.

mod access;
mod audit;
mod cache;
mod canary;
mod codes;
mod documents;
mod failures;
mod mails;
mod row;
mod settings;
mod tokens;
#[cfg(test)]
mod upgrade_tests;
mod users;
mod write;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::private::{Private, StoresDocuments, Watched};
use super::{Changes, Store};
use crate::collection::bulk::StoredCollections;
use crate::collection::storage::DocumentStore;
use documents::{Place, SqliteDocuments};
use write::{Caches, Touches};

/// The statements that bring the schema from each version to the next, starting with an empty database. They are never
/// changed, only added.
const MIGRATIONS: [&str; 8] = [
    include_str!("migration_1.sql"),
    include_str!("migration_2.sql"),
    include_str!("migration_3.sql"),
    WITH_SKELETONS,
    include_str!("migration_5.sql"),
    include_str!("migration_6.sql"),
    include_str!("migration_7.sql"),
    include_str!("migration_8.sql"),
];

/// The migration after which usernames have skeletons, which SQL cannot compute.
const WITH_SKELETONS: &str = include_str!("migration_4.sql");

/// The number of connections that read a file concurrently.
const READERS: u32 = 4;

/// The cache of the writing connection: 16 MB, so that the pages of a large batch of documents are written once. Those of
/// the readers have 2 MB each.
const WRITER_CACHE: &str = "-16000";

/// A store in an SQLite file, or in memory.
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    caches: Arc<Caches>,
    changes: Changes,
    documents: Arc<SqliteDocuments>,
    /// The lock on the file, held until the store and its documents are dropped.
    _lock: Option<Arc<File>>,
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has opened it.
    #[error("the database {0} is used by another process; stop that one, or choose another with --data-dir")]
    InUse(PathBuf),
    /// The file cannot be created or opened.
    #[error("the database {path} cannot be opened: {reason}; does its directory exist, and may this user write there?")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// The file is not a database, or it is damaged.
    #[error(
        "the database {path} cannot be read: {reason}; restore it from a backup, or move it away to start with an empty one"
    )]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// The error of SQLite.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database was written by a newer version.
    #[error(
        "the database {path} was written by a newer version (schema {found}, this one knows {known}); update Bolide",
        known = MIGRATIONS.len()
    )]
    Newer {
        /// The path of the file.
        path: PathBuf,
        /// The version of its schema.
        found: usize,
    },
    /// The address is malformed.
    #[error("`{0}` is not the address of a database; it must be `sqlite:PATH` or `sqlite::memory:`")]
    Address(String),
}

impl OpenError {
    fn damaged(path: &Path, reason: sqlx::Error) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

impl Store for SqliteStore {}

impl Private for SqliteStore {}

impl Watched for SqliteStore {
    fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl StoresDocuments for SqliteStore {
    fn documents(&self) -> Arc<dyn DocumentStore> {
        Arc::<SqliteDocuments>::clone(&self.documents)
    }
}

impl SqliteStore {
    /// Opens the database at `sqlite:PATH`, creates the file if it is missing, and brings its schema up to date.
    /// `sqlite::memory:` opens a new database in memory.
    ///
    /// # Errors
    /// Returns an [`OpenError`], whose message names the file.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        let Some(path) = address.strip_prefix("sqlite:") else { return Err(OpenError::Address(address.to_owned())) };
        if path == ":memory:" { Self::in_memory().await } else { Self::open_file(Path::new(path)).await }
    }

    /// Returns the stored collections, for tools that do not know their declaration.
    #[must_use]
    pub fn collections(&self) -> StoredCollections {
        StoredCollections::new(self.documents())
    }

    async fn in_memory() -> Result<Self, OpenError> {
        let path = PathBuf::from(":memory:");
        let damaged = |reason| OpenError::damaged(&path, reason);
        let options = SqliteConnectOptions::from_str("sqlite::memory:").map_err(damaged)?.foreign_keys(true);
        // The database exists as long as its one connection.
        let pool = pool(1).connect_with(options).await.map_err(damaged)?;
        migrate(&pool, &path).await?;
        Ok(Self {
            writer: pool.clone(),
            reader: pool,
            caches: Arc::default(),
            changes: Changes::default(),
            documents: Arc::new(SqliteDocuments::new(Place::Temporary)),
            _lock: None,
        })
    }

    async fn open_file(path: &Path) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        make_private(path).map_err(|reason| OpenError::File { path: path.to_owned(), reason })?;
        Self::open_with(path, file_options(path), Some(lock)).await
    }

    async fn open_with(path: &Path, options: SqliteConnectOptions, lock: Option<File>) -> Result<Self, OpenError> {
        let damaged = |reason| OpenError::damaged(path, reason);
        let large_cache = options.clone().pragma("cache_size", WRITER_CACHE);
        let writer = file_pool(1).connect_with(large_cache).await.map_err(damaged)?;
        migrate(&writer, path).await?;
        // Opened last: a connection that has read an older schema prepares its first statements for that one.
        let reader = file_pool(READERS).connect_with(options.clone()).await.map_err(damaged)?;
        let lock = lock.map(Arc::new);
        let place = Place::File { writer: writer.clone(), options: Box::new(options), _lock: lock.clone() };
        let documents = Arc::new(SqliteDocuments::new(place));
        // Connections that close at the same time may all leave the log, with what was deleted since, to the others.
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&writer).await.map_err(damaged)?;
        Ok(Self { writer, reader, caches: Arc::default(), changes: Changes::default(), documents, _lock: lock })
    }
}

/// Brings the schema up to date. Fails if the database was written by a newer version.
async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let damaged = |reason| OpenError::damaged(path, reason);
    let mut connection = writer.acquire().await.map_err(damaged)?;
    let check: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await.map_err(damaged)?;
    if check != "ok" {
        return Err(OpenError::Damaged { path: path.to_owned(), reason: check.into() });
    }
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(damaged)?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    let Some(missing) = MIGRATIONS.get(found..) else {
        return Err(OpenError::Newer { path: path.to_owned(), found });
    };
    for (version, migration) in (found + 1..).zip(missing) {
        let mut whole = connection.begin_with("BEGIN IMMEDIATE").await.map_err(damaged)?;
        sqlx::raw_sql(*migration).execute(&mut *whole).await.map_err(damaged)?;
        if *migration == WITH_SKELETONS {
            users::fill_in_skeletons(&mut whole).await.map_err(damaged)?;
        }
        let done = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        sqlx::raw_sql(done).execute(&mut *whole).await.map_err(damaged)?;
        whole.commit().await.map_err(damaged)?;
    }
    if found > 0 && !missing.is_empty() {
        // Older versions did not overwrite what they deleted.
        sqlx::raw_sql("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await.map_err(damaged)?;
    }
    Ok(())
}

/// Returns a pool that opens all connections at its start and keeps them, so that clients which take all file descriptors
/// do not take those of the store.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Returns a pool of connections to a file, of which those that are stuck are replaced: after some errors, such as that of
/// a full disk, SQLite ends the transaction, but the connection does not notice and begins no other one.
fn file_pool(connections: u32) -> SqlitePoolOptions {
    pool(connections).before_acquire(|connection, _| {
        Box::pin(async {
            if connection.is_in_transaction() {
                // A transaction that was dropped may still wait to be rolled back.
                connection.ping().await?;
            }
            Ok(!connection.is_in_transaction())
        })
    })
}

fn file_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
        // Deleted data is overwritten, so that it does not stay in freed pages.
        .pragma("secure_delete", "ON")
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let failed = |reason| OpenError::File { path: path.to_owned(), reason };
    let file = File::options().create(true).truncate(false).write(true).open(beside).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(reason)) => Err(failed(reason)),
    }
}

/// Creates the file if it is missing, readable by its owner only.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
