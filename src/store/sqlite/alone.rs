//! [`open_alone`]: a file that one connection writes and no server uses, such as a backup.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::migrations::migrate;
use super::{OpenError, Opened, on_one_connection, pool};

/// Opens a file that is being written, or creates its schema, or brings it up to date. Everything is in this one file, and
/// its writer makes sure that it is on the disk.
pub(in crate::store) async fn open_alone(path: &Path) -> Result<Opened, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(true)
        .pragma("secure_delete", "ON");
    let pool = pool(1).connect_with(options).await.map_err(|reason| OpenError::failed(path, reason))?;
    migrate(&pool, path).await?;
    Ok(on_one_connection(pool))
}
