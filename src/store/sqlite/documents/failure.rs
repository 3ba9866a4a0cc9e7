//! The errors of SQLite in plain words: what to do about them.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::collection::storage::StorageError;

/// Converts an error of the database.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
pub(super) fn failed(error: sqlx::Error) -> StorageError {
    match advice(&error) {
        Some(advice) => StorageError::Failed(format!("the database failed: {error}; {advice}")),
        None => StorageError::Failed(format!("the database failed: {error}")),
    }
}

fn advice(error: &sqlx::Error) -> Option<&'static str> {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return Some("its connections are in use: a transaction or a read takes too long, or the disk is too slow");
    }
    match kind(error)? {
        3 | 14 => Some("check that the user of the process may read and write its file and directory"),
        8 => Some("it is read-only: check the permissions of its file and directory, and how its disk is mounted"),
        10 => Some("the disk could not be read or written: check it, and the system's log"),
        11 | 26 => Some("its file is damaged: stop the server and restore it from a backup"),
        13 => Some("its disk is full: nothing is written until there is room; documents can still be read"),
        _ => None,
    }
}

/// Returns what to do about an error of a database that is being opened, unless its file may be damaged.
pub(in crate::store::sqlite) fn advice_at_start(error: &sqlx::Error) -> Option<&'static str> {
    match kind(error) {
        Some(5 | 6) => Some("another program has locked it: end that one"),
        Some(11 | 26) => None,
        Some(13) => Some("its disk is full: make room, and start again"),
        _ => advice(error),
    }
}

/// Returns what to do about an error while a database was being copied into a file.
pub(in crate::store) fn advice_to_copy(error: &sqlx::Error) -> &'static str {
    match kind(error) {
        Some(9) => "it was interrupted",
        Some(10) => {
            "a disk could not be read or written: check both, and the system's log; is there a limit of file sizes?"
        }
        Some(11 | 26) => "the database is damaged: run `bolide check --thorough`",
        Some(13) => "the disk of the new file is full: make room, or choose another one",
        _ => advice(error).unwrap_or("check the database and the disk of the new file"),
    }
}

/// Returns the kind of an error: the low byte of its code. The other bytes say more.
fn kind(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Reads a column with a number that is never negative.
pub(super) fn read_number(row: &SqliteRow, column: usize) -> Result<u64, StorageError> {
    let number: i64 = row.try_get(column).map_err(failed)?;
    u64::try_from(number)
        .map_err(|_| StorageError::Failed(format!("the database holds {number} as a number of documents")))
}

pub(super) fn write_number(number: u64) -> Result<i64, StorageError> {
    i64::try_from(number).map_err(|_| StorageError::Failed(format!("{number} is too large for the database")))
}
