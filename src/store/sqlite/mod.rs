//! SQLite: how a file is opened and locked, its schema, and its documents.
//!
//! One connection writes, several read. A write that has returned is on the disk (WAL, `synchronous = FULL`). A lock file
//! beside the database keeps a second process from opening it.
//!
//! - `lock`: the lock file, which also tells that the database was used;
//! - `snapshot`: the state of a database at one moment, also while another process writes to it;
//! - `alone`: files that one connection writes, and no server uses;
//! - `reading`: files that are only read, and what is wrong with them;
//! - `replace`: puts another file in the place of a database;
//! - `migrations`, `documents`: the schema, and the documents.

mod alone;
mod documents;
mod lock;
mod migrations;
mod reading;
mod replace;
mod snapshot;
#[cfg(test)]
mod upgrade_tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::sql::layer::Database;
use super::sql::lease::Lease;
use super::sql::{News, OpenError, Opened};
pub(super) use alone::open_alone;
use documents::failure::advice_at_start;
pub(super) use documents::failure::advice_to_copy;
use documents::{Place, SqliteDocuments};
pub(super) use lock::{Lock, beside};
use migrations::migrate;
pub(super) use reading::Reading;
pub(super) use replace::replace;
pub(super) use snapshot::write_snapshot;

/// The number of connections that read a file concurrently.
const READERS: u32 = 4;

/// The cache of the writing connection: 16 MB, so that the pages of a large batch of documents are written once. Those of
/// the readers have 2 MB each.
const WRITER_CACHE: &str = "-16000";

impl OpenError {
    fn failed(path: &Path, reason: sqlx::Error) -> Self {
        let path = path.to_owned();
        match advice_at_start(&reason) {
            Some(advice) => Self::Failed { path, reason: reason.into(), advice },
            None => Self::Damaged { path, reason: reason.into() },
        }
    }
}

/// The connections to a file.
struct Pools {
    reader: SqlitePool,
    writer: SqlitePool,
}

/// Opens the database at `path`, which is created if it is missing. `:memory:` is a new database in memory.
pub(super) async fn open(path: &str) -> Result<Opened, OpenError> {
    if path == ":memory:" { in_memory().await } else { open_file(Path::new(path)).await }
}

async fn in_memory() -> Result<Opened, OpenError> {
    let path = PathBuf::from(":memory:");
    let failed = |reason| OpenError::failed(&path, reason);
    let options = SqliteConnectOptions::from_str("sqlite::memory:").map_err(failed)?.foreign_keys(true);
    // The database exists as long as its one connection.
    let pool = pool(1).connect_with(options).await.map_err(failed)?;
    migrate(&pool, &path).await?;
    Ok(on_one_connection(pool))
}

/// Returns a database that has one connection, and whose documents are not stored in it.
fn on_one_connection(pool: SqlitePool) -> Opened {
    Opened {
        database: Database::sqlite_in_memory(pool),
        documents: Arc::new(SqliteDocuments::new(Place::Temporary)),
        news: News::new(Lease::alone()),
        guard: None,
    }
}

async fn open_file(path: &Path) -> Result<Opened, OpenError> {
    let lock = Arc::new(Lock::take(path)?);
    lock.refuse_emptied()?;
    open_private(path).map(drop).map_err(|reason| OpenError::File { path: path.to_owned(), reason })?;
    let options = file_options(path);
    let Pools { reader, writer } = connect(path, &options).await?;
    lock.mark();
    let place = Place::File { writer: writer.clone(), options: Box::new(options), _lock: Arc::clone(&lock) };
    Ok(Opened {
        database: Database::sqlite(reader, writer),
        documents: Arc::new(SqliteDocuments::new(place)),
        news: News::new(Lease::alone()),
        guard: Some(Box::new(lock)),
    })
}

async fn connect(path: &Path, options: &SqliteConnectOptions) -> Result<Pools, OpenError> {
    let failed = |reason| OpenError::failed(path, reason);
    let large_cache = options.clone().pragma("cache_size", WRITER_CACHE);
    let writer = file_pool(1).connect_with(large_cache).await.map_err(failed)?;
    migrate(&writer, path).await?;
    // Opened last: a connection that has read an older schema prepares its first statements for that one.
    let reader = file_pool(READERS).connect_with(options.clone()).await.map_err(failed)?;
    // Connections that close at the same time may all leave the log, with what was deleted since, to the others.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&writer).await.map_err(failed)?;
    Ok(Pools { reader, writer })
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

/// Opens a file, which is created if it is missing, readable by its owner only.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
