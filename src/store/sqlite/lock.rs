//! [`Lock`]: the file beside a database that keeps a second process from opening it. It has a text once the database was
//! used, by which a database that was cut to nothing is told from a new one: SQLite takes both for an empty database.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::OpenError;

/// The text in the file of a database that was used.
const MARK: &[u8] = b"bolide.db beside this file was used by a server.\n";

/// The lock on a database. It ends when this is dropped, or the process.
pub(in crate::store) struct Lock {
    database: PathBuf,
    file: File,
}

impl Lock {
    /// Locks a database, which need not exist.
    pub(in crate::store) fn take(database: &Path) -> Result<Self, OpenError> {
        let failed = |reason| OpenError::File { path: database.to_owned(), reason };
        let name = beside(database, ".lock");
        let file = File::options().create(true).truncate(false).read(true).write(true).open(name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { database: database.to_owned(), file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(database.to_owned())),
            Err(TryLockError::Error(reason)) => Err(failed(reason)),
        }
    }

    /// Returns an error if the database has 0 bytes and was used: it must not be taken for a new one, which would also
    /// delete its log.
    pub(super) fn refuse_emptied(&self) -> Result<(), OpenError> {
        let size = |path: &Path| fs::metadata(path).map(|file| file.len());
        let has_log = size(&beside(&self.database, "-wal")).is_ok_and(|bytes| bytes > 0);
        let was_used = self.file.metadata().is_ok_and(|file| file.len() > 0);
        match size(&self.database) {
            Ok(0) if has_log || was_used => Err(OpenError::Emptied { path: self.database.clone() }),
            _ => Ok(()),
        }
    }

    /// Notes that the database was used.
    pub(in crate::store) fn mark(&self) {
        // Without the note, the server still works.
        let _not_noted = self.try_mark();
    }

    fn try_mark(&self) -> io::Result<()> {
        if self.file.metadata()?.len() == 0 { (&self.file).write_all(MARK) } else { Ok(()) }
    }
}

/// Returns the path of a file that SQLite or this program keeps beside a database.
pub(in crate::store) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
