//! [`SqlError`]: why a statement has failed.

use std::io::ErrorKind;
use std::time::Duration;

use crate::error::UnknownOutcome;
use crate::store::{StoreError, Unique};

/// Why a statement or a transaction has failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum SqlError {
    /// The database has refused it, or cannot be reached. Nothing was written.
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
    /// The connection was lost before the database has answered: it is not known whether anything was written.
    #[error("the connection to the database was lost before it answered ({0})")]
    Unknown(#[source] sqlx::Error),
    /// A text contains the character U+0000, which cannot be stored.
    #[error("a text with the character U+0000 cannot be stored")]
    Nul,
}

/// Waits for an answer of PostgreSQL.
pub(super) async fn answer<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, SqlError> {
    Ok(within(patience, work).await?)
}

/// Waits for the answer to a write. If the connection is lost meanwhile, the outcome is not known.
pub(super) async fn answer_to_write<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, SqlError> {
    within(patience, work)
        .await
        .map_err(|error| if is_lost(&error) { SqlError::Unknown(error) } else { SqlError::Failed(error) })
}

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = || sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, "the database does not answer"));
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(late()))
}

/// Returns whether the connection ended before the answer was there.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // The server is shutting down, or one of its processes has crashed.
        sqlx::Error::Database(refusal) => {
            matches!(refusal.code().as_deref(), Some("57P01" | "57P02" | "08000" | "08003" | "08006" | "08007"))
        }
        _ => false,
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        if let SqlError::Failed(sqlx::Error::Database(refusal)) = &error
            && refusal.is_unique_violation()
        {
            // PostgreSQL names the constraint, and the message of SQLite names the columns.
            return Self::Taken(unique(refusal.constraint().unwrap_or_else(|| refusal.message())));
        }
        match error {
            SqlError::Unknown(reason) => Self::Unknown(Box::new(UnknownOutcome::new(reason.to_string()))),
            SqlError::Failed(reason) => Self::Failed(Box::new(reason)),
            SqlError::Nul => Self::Failed(Box::new(error)),
        }
    }
}

/// Returns what the violated constraint is about.
fn unique(constraint: &str) -> Unique {
    if constraint.contains("users.username") || constraint == "users_by_name" {
        return Unique::Username;
    }
    if constraint.contains("emails") {
        return Unique::Address;
    }
    if constraint.contains("passkeys") {
        return Unique::Passkey;
    }
    if constraint.contains("tokens") { Unique::Token } else { Unique::UserId }
}
