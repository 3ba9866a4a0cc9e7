//! [`StagedBackup`]: a copy of a backup that was checked and brought up to date, before it becomes a database.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::partial::{PartialFile, Replacing, sync_directory_of};
use super::{BackupError, CopiedTable, CopyError, Occupied, OpenError, Pace, SqlStore};
use crate::store::inspection::Thoroughness;
use crate::store::sqlite::{self, Lock, Reading, beside};

/// A copy of a backup. Dropping it deletes the copy.
///
/// ```no_run
/// use std::path::Path;
/// use bolide::store::backup::StagedBackup;
///
/// # async fn restore() -> Result<(), Box<dyn std::error::Error>> {
/// let staged = StagedBackup::for_file(Path::new("bolide.backup"), Path::new("bolide.db")).await?;
/// // Check the keys with `staged.store()` here.
/// staged.replace_file().await?;
/// # Ok(())
/// # }
/// ```
pub struct StagedBackup {
    store: SqlStore,
    partial: PartialFile,
    tables: Vec<CopiedTable>,
    /// Whether the schema of the backup was that of an older version.
    was_older: bool,
    /// The database that is replaced, if it is a file.
    replaced: Option<(PathBuf, Lock)>,
}

/// A database that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The tables with the number and the hash of their rows, which are equal to those of the backup unless it was older.
    pub tables: Vec<CopiedTable>,
    /// Whether the backup was that of an older version, whose schema was brought up to date.
    pub was_older: bool,
    /// Where the database is that was there before. `None` if there was none, or it was not in a file.
    pub kept: Option<PathBuf>,
}

/// Why a backup was not restored. The database is unchanged, unless the error is [`CopyError::Outcome`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The file is not a backup, or it is damaged.
    #[error("the file {file} cannot be restored: {reason}; the database was not changed")]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{file} cannot be {action}: {reason}; the database was not changed")]
    File {
        /// The file.
        file: PathBuf,
        /// What could not be done: `read`, `written` or `replaced`.
        action: &'static str,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The database is in use, or it cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy is written by another process.
    #[error("{0}")]
    Staging(#[source] BackupError),
    /// The database has data.
    #[error("the database is not empty: its table `{table}` has rows; --force deletes what it has")]
    NotEmpty {
        /// The first table with rows.
        table: &'static str,
    },
    /// The data cannot be copied.
    #[error("the backup was not restored: {0}")]
    Copy(#[source] CopyError),
}

impl From<CopyError> for RestoreError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::NotEmpty { table } => Self::NotEmpty { table },
            error => Self::Copy(error),
        }
    }
}

impl StagedBackup {
    /// Checks a backup and copies it next to a database file, which it will replace. That is locked, so that no server uses
    /// it.
    ///
    /// # Errors
    /// Returns a [`RestoreError`], whose message names the file.
    pub async fn for_file(backup: &Path, database: &Path) -> Result<Self, RestoreError> {
        let lock = Lock::take(database)?;
        Self::stage(backup, database, Some((database.to_owned(), lock))).await
    }

    /// Checks a backup and copies it next to itself, to be copied into another database.
    ///
    /// # Errors
    /// Returns a [`RestoreError`], whose message names the file.
    pub async fn for_copy(backup: &Path) -> Result<Self, RestoreError> {
        Self::stage(backup, &beside(backup, ".restoring"), None).await
    }

    async fn stage(backup: &Path, name: &Path, replaced: Option<(PathBuf, Lock)>) -> Result<Self, RestoreError> {
        let before = check(backup).await?;
        let partial = PartialFile::create(name, Replacing::Allowed).map_err(|error| match error {
            BackupError::File { file, reason } => RestoreError::File { file, action: "written", reason },
            error => RestoreError::Staging(error),
        })?;
        copy(backup, partial.path())?;
        let store = SqlStore::new(sqlite::open_alone(partial.path()).await?);
        let tables = store.sums().await?;
        if before.as_ref().is_some_and(|before| *before != tables) {
            return Err(unusable(backup, "its copy is not equal to it; check the disk".to_owned()));
        }
        Ok(Self { store, partial, tables, was_older: before.is_none(), replaced })
    }

    /// Returns what will be restored, with the schema of this version. Stored collections cannot be read from it.
    #[must_use]
    pub const fn store(&self) -> &SqlStore {
        &self.store
    }

    /// Puts the copy in the place of the database, which is kept under another name.
    ///
    /// # Errors
    /// Returns a [`RestoreError`].
    pub async fn replace_file(self) -> Result<Restored, RestoreError> {
        let Self { store, partial, tables, was_older, replaced } = self;
        let Some((database, lock)) = replaced else {
            return Err(unusable(partial.path(), "it was not staged to replace a file".to_owned()));
        };
        store.close().await;
        let failed = |reason| RestoreError::File { file: database.clone(), action: "replaced", reason };
        partial.sync().map_err(failed)?;
        let kept = sqlite::replace(&lock, &database, partial.path()).await.map_err(failed)?;
        sync_directory_of(&std::path::absolute(&database).map_err(failed)?).map_err(failed)?;
        Ok(Restored { tables, was_older, kept })
    }

    /// Copies everything into a database, in one transaction. With `replace`, what it has is deleted in the same transaction;
    /// otherwise it must be empty.
    ///
    /// # Errors
    /// Returns a [`RestoreError`].
    pub async fn copy_into(
        self,
        target: &SqlStore,
        replace: bool,
        progress: impl FnMut(&'static str, u64) + Send,
    ) -> Result<Restored, RestoreError> {
        let occupied = if replace { Occupied::Emptied } else { Occupied::Refused };
        let tables = self.store.copy_paced(target, occupied, Pace::unlimited(), progress).await?;
        self.store.close().await;
        Ok(Restored { tables, was_older: self.was_older, kept: None })
    }
}

impl std::fmt::Debug for StagedBackup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StagedBackup").field("tables", &self.tables).finish_non_exhaustive()
    }
}

/// Checks a backup. Returns its tables, or `None` if its schema is older.
async fn check(backup: &Path) -> Result<Option<Vec<CopiedTable>>, RestoreError> {
    let wrong = |reason: &str| unusable(backup, reason.to_owned());
    let bytes = fs::metadata(backup).map_err(|reason| unreadable(backup, reason))?.len();
    if bytes == 0 {
        return Err(wrong("it has 0 bytes"));
    }
    for log in ["-wal", "-journal"].map(|suffix| beside(backup, suffix)) {
        if fs::metadata(log).is_ok_and(|file| file.len() > 0) {
            return Err(wrong(
                "its log is beside it, so it is a database in use and not a backup; take one with `bolide backup`",
            ));
        }
    }
    let damaged = |reason: sqlx::Error| unusable(backup, format!("it is not a backup, or it is damaged ({reason})"));
    let written = Reading::at_rest(backup).await.map_err(damaged)?;
    let (found, known) = (written.version(), Reading::known());
    if found > known {
        let reason =
            format!("it was written by a newer version (schema {found}, this one knows {known}); update Bolide");
        return Err(unusable(backup, reason));
    }
    if found == 0 {
        return Err(wrong("it is a database of another program"));
    }
    if let Some(fault) = written.faults(Thoroughness::Thorough).await.map_err(damaged)?.into_iter().next() {
        return Err(unusable(backup, format!("it is damaged ({fault})")));
    }
    if !written.has_current_schema() {
        return Ok(None);
    }
    let store = written.into_store();
    let tables = store.sums().await?;
    store.close().await;
    Ok(Some(tables))
}

/// Copies the bytes into a file that exists and keeps its mode.
fn copy(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let unwritable = |reason| RestoreError::File { file: to.to_owned(), action: "written", reason };
    let mut source = File::open(from).map_err(|reason| unreadable(from, reason))?;
    let mut target = File::options().write(true).open(to).map_err(unwritable)?;
    io::copy(&mut source, &mut target).map(drop).map_err(unwritable)
}

fn unreadable(file: &Path, reason: io::Error) -> RestoreError {
    RestoreError::File { file: file.to_owned(), action: "read", reason }
}

fn unusable(file: &Path, reason: String) -> RestoreError {
    RestoreError::Unusable { file: file.to_owned(), reason }
}
