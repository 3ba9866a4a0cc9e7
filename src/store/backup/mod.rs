//! Backups: a copy of all data as a file, taken while a server uses the database, and put back.
//!
//! - [`back_up`](fn@back_up): writes the file;
//! - [`StagedBackup`]: a checked copy of the file, ready to become a database;
//! - `partial`: files that appear under their name only when they are complete;
//! - [`Rate`]: how fast a backup may be.
//!
//! A backup is an SQLite database in one file, whichever database it was taken from. Secrets in it are sealed: they are lost
//! without the keys of the server, which are not in the file.

mod partial;
mod rate;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use rate::Rate;
pub use restore::{RestoreError, Restored, StagedBackup};

use super::inspection::Thoroughness;
use super::sql::{Address, CopiedTable, CopyError, DatabaseOptions, Occupied, OpenError, Pace, SqlStore};
use super::{postgres, sqlite};
use partial::{PartialFile, Replacing};

/// How a backup is written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BackupOptions {
    /// The number of bytes that are written in a second. `None`, the default, does not limit it.
    pub rate: Option<Rate>,
    /// Whether an existing file is replaced. The default is `false`.
    pub replace: bool,
    /// How the database is used if it is in PostgreSQL.
    pub database: DatabaseOptions,
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupStep {
    /// A part of an SQLite database is written.
    Bytes {
        /// The number of bytes of the backup so far.
        written: u64,
        /// The number of bytes of the database. The backup has fewer if parts of it are unused.
        total: u64,
    },
    /// A part of a PostgreSQL database is written.
    Rows {
        /// The table.
        table: &'static str,
        /// The number of its rows so far.
        rows: u64,
    },
    /// Everything is written, and the backup is read again.
    Verifying,
}

/// A backup that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// The number of bytes of the file.
    pub bytes: u64,
    /// The tables with the number and the hash of their rows, which are the same after a restore. Empty if the schema is
    /// that of another version of Bolide.
    pub tables: Vec<CopiedTable>,
}

/// Why a backup was not written. No file has appeared under its name, and an existing one is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file exists.
    #[error("the file {0} exists; choose another name, or replace it with --force")]
    Exists(PathBuf),
    /// The file is the database, one of the files beside it, or its key file.
    #[error("{0} is a file of the server itself; choose another name for the backup")]
    OfServer(PathBuf),
    /// Another process writes the same backup.
    #[error("another process writes the backup {0}; wait until it ends, or choose another name")]
    Busy(PathBuf),
    /// The file cannot be written.
    #[error("the backup {file} cannot be written: {reason}; no file was left under this name")]
    File {
        /// The file.
        file: PathBuf,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// The database or the file has failed.
    #[error("the backup {file} was not written: {reason}; {advice}")]
    Failed {
        /// The file.
        file: PathBuf,
        /// The error of the database.
        reason: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it.
        advice: &'static str,
    },
    /// The backup was written, and what was read from it is wrong.
    #[error(
        "the backup {file} was not written: the copy is damaged ({reason}); run `bolide check --thorough` on the database"
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be copied.
    #[error("the backup was not written: {0}")]
    Copy(#[from] CopyError),
}

/// Is told how far a backup is. It is called from other threads as well.
pub type BackupProgress = Arc<dyn Fn(BackupStep) + Send + Sync>;

/// Writes all data of a database into `file`, as they were at one moment, while servers may write to it. The file has the
/// mode 0600 and appears when it is complete and was read again; until then, what there is of it has the name with
/// `.partial`. If the future is dropped, that is deleted.
///
/// An SQLite database is copied whatever its schema is, so also before an update. The schema of a PostgreSQL database must
/// be that of this version.
///
/// # Errors
/// Returns a [`BackupError`], whose message names the file or the database.
pub async fn back_up(
    address: &str,
    file: &Path,
    options: BackupOptions,
    progress: BackupProgress,
) -> Result<BackedUp, BackupError> {
    let address = Address::of(address)?;
    let replacing = if options.replace { Replacing::Allowed } else { Replacing::Refused };
    let partial = match address {
        Address::Sqlite(database) => {
            if is_of_server(Path::new(database), file) {
                return Err(BackupError::OfServer(file.to_owned()));
            }
            let source = sqlite::Reading::in_use(Path::new(database)).await?;
            let partial = PartialFile::create(file, replacing)?;
            let failed = |reason| failed(file, reason);
            let written = sqlite::write_snapshot(source, partial.path(), options.rate, Arc::clone(&progress)).await;
            written.map_err(failed)?;
            partial
        }
        Address::Postgres(url) => {
            let source = SqlStore::new(postgres::open_to_read(url, options.database).await?);
            let partial = PartialFile::create(file, replacing)?;
            let target = SqlStore::new(sqlite::open_alone(partial.path()).await?);
            let told = |table, rows| progress(BackupStep::Rows { table, rows });
            source.copy_paced(&target, Occupied::Refused, Pace::of(options.rate), told).await?;
            target.close().await;
            source.close().await;
            partial
        }
    };
    progress(BackupStep::Verifying);
    let tables = verify(partial.path(), file).await?;
    let bytes = partial.publish()?;
    Ok(BackedUp { bytes, tables })
}

/// Returns whether a file is the database, one of the files that SQLite or Bolide keeps beside it, or its key file.
fn is_of_server(database: &Path, file: &Path) -> bool {
    let place = |path: &Path| {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        (directory.canonicalize().ok(), path.file_name().map(ToOwned::to_owned))
    };
    let parts = ["", "-wal", "-shm", "-journal", ".lock"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    let is_linked = || file.canonicalize().is_ok_and(|there| database.canonicalize().is_ok_and(|own| own == there));
    parts.iter().chain([&database.with_extension("key")]).any(|part| place(part) == place(file)) || is_linked()
}

/// Reads what was written.
async fn verify(partial: &Path, file: &Path) -> Result<Vec<CopiedTable>, BackupError> {
    let damaged = |reason: String| BackupError::Damaged { file: file.to_owned(), reason };
    let written = sqlite::Reading::at_rest(partial).await.map_err(|reason| failed(file, reason))?;
    let faults = written.faults(Thoroughness::Quick).await.map_err(|reason| failed(file, reason))?;
    if let Some(fault) = faults.into_iter().next() {
        return Err(damaged(fault));
    }
    if !written.has_current_schema() {
        return Ok(Vec::new());
    }
    Ok(written.into_store().sums().await?)
}

fn failed(file: &Path, reason: sqlx::Error) -> BackupError {
    let advice = sqlite::advice_to_copy(&reason);
    BackupError::Failed { file: file.to_owned(), reason: reason.into(), advice }
}
