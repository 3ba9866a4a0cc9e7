//! The errors of PostgreSQL in plain words: what to do about them.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::collection::storage::StorageError;

/// Waits for the answer to an operation that reads, or that belongs to a transaction.
pub(super) async fn answer<T>(
    patience: Duration,
    operation: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StorageError> {
    match tokio::time::timeout(patience, operation).await {
        Ok(answer) => answer.map_err(failed),
        Err(_elapsed) => Err(failed(no_answer())),
    }
}

/// Waits for the answer to a commit. If it does not come, the outcome is not known.
pub(super) async fn answer_to_commit(
    patience: Duration,
    commit: impl Future<Output = Result<(), sqlx::Error>>,
) -> Result<(), StorageError> {
    let answer = tokio::time::timeout(patience, commit).await.unwrap_or_else(|_elapsed| Err(no_answer()));
    answer.map_err(|error| if is_lost(&error) { StorageError::Unknown(told(&error)) } else { failed(error) })
}

/// Converts an error of the database, which has written nothing.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
pub(super) fn failed(error: sqlx::Error) -> StorageError {
    StorageError::Failed(told(&error))
}

/// Refuses a text that PostgreSQL cannot store.
pub(super) fn refuse_nul<'text>(texts: impl IntoIterator<Item = &'text str>) -> Result<(), StorageError> {
    match texts.into_iter().find(|text| text.contains('\0')) {
        None => Ok(()),
        Some(text) => Err(StorageError::Failed(format!("{text:?} has the character U+0000, which cannot be stored"))),
    }
}

/// Reads a column with a number that is never negative.
pub(super) fn read_number(row: &PgRow, column: usize) -> Result<u64, StorageError> {
    let number: i64 = row.try_get(column).map_err(failed)?;
    let damaged = |_| StorageError::Failed(format!("the database holds {number} as a number of documents"));
    u64::try_from(number).map_err(damaged)
}

pub(super) fn write_number(number: u64) -> Result<i64, StorageError> {
    i64::try_from(number).map_err(|_| StorageError::Failed(format!("{number} is too large for the database")))
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, "the server does not answer"))
}

fn told(error: &sqlx::Error) -> String {
    match advice(error) {
        Some(advice) => format!("the database failed: {error}; {advice}"),
        None => format!("the database failed: {error}"),
    }
}

fn advice(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::PoolTimedOut => {
            return Some("it cannot be reached, or its connections are in use: a read or a transaction takes too long");
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            return Some("check that PostgreSQL runs and can be reached at the address of `--database`");
        }
        _ => {}
    }
    match error.as_database_error()?.code()?.as_ref() {
        "28000" | "28P01" => Some("check the user and the password of `--database`"),
        "3D000" => Some("create the database, or check its name in `--database`"),
        "42501" => Some("the user of `--database` needs all rights on the tables of Bolide"),
        "53100" => Some("its disk is full: nothing is written until there is room; documents can still be read"),
        "53300" => Some("raise `max_connections` of PostgreSQL, or lower the number of connections of each node"),
        "25006" => Some("it is read-only: connect to the primary server"),
        "55P03" | "57014" => Some("another transaction holds what it needs, or the server is too slow"),
        "25P03" => Some("the transaction was left alone for too long"),
        "57P01" | "57P02" | "57P03" => Some("the server is stopping or starting"),
        _ => None,
    }
}

/// Returns whether the connection ended before the answer was there.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // The server is shutting down, one of its processes has crashed, or it has ended the connection.
        sqlx::Error::Database(refusal) => {
            let code = refusal.code();
            code.is_some_and(|code| code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P05"))
        }
        _ => false,
    }
}
