//! [`Place`]: the database in which the documents are, and the connections to it.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteSynchronous};

use super::failure::failed;
use crate::collection::storage::StorageError;
use crate::store::sqlite::{self, Lock, READERS, file_options, file_pool};

/// Where the documents are.
pub(in crate::store::sqlite) enum Place {
    /// In the file of the store.
    File {
        writer: SqlitePool,
        options: Box<SqliteConnectOptions>,
        /// The lock on the file: documents may be in use for longer than the store.
        _lock: Arc<Lock>,
    },
    /// In a temporary file of their own, since a database in memory has one connection only: a read that is open would
    /// stop all writes.
    Temporary,
}

/// The connections to a database.
pub(super) struct Connections {
    pub(super) writer: SqlitePool,
    /// Connections for documents only, so that long reads do not keep sign-ins waiting.
    pub(super) reader: SqlitePool,
    _directory: Option<TemporaryDirectory>,
}

/// A directory that is removed when this is dropped. It stays if the process is killed.
struct TemporaryDirectory(PathBuf);

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // Where files in use cannot be deleted, they stay.
        let _deleted = std::fs::remove_dir_all(&self.0);
    }
}

impl Place {
    pub(super) async fn connect(&self) -> Result<Connections, StorageError> {
        match self {
            Self::File { writer, options, .. } => {
                let reader = file_pool(READERS).connect_with(SqliteConnectOptions::clone(options)).await;
                Ok(Connections { writer: writer.clone(), reader: reader.map_err(failed)?, _directory: None })
            }
            Self::Temporary => temporary().await,
        }
    }
}

/// Opens a database that ends with its connections.
async fn temporary() -> Result<Connections, StorageError> {
    let directory = TemporaryDirectory(new_directory(&std::env::temp_dir())?);
    let path = directory.0.join("documents.db");
    let options = file_options(&path).create_if_missing(true).synchronous(SqliteSynchronous::Off);
    let opened = sqlite::connect(&path, &options).await;
    let sqlite::Pools { reader, writer } = opened.map_err(|error| StorageError::Failed(error.to_string()))?;
    Ok(Connections { writer, reader, _directory: Some(directory) })
}

/// Creates a directory that only this user can enter.
fn new_directory(parent: &Path) -> Result<PathBuf, StorageError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    for number in 0_u32.. {
        let path = parent.join(format!("bolide-documents-{}-{number}", std::process::id()));
        match builder.create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(parent, &error)),
        }
    }
    Err(refused(parent, &ErrorKind::AlreadyExists.into()))
}

fn refused(parent: &Path, error: &std::io::Error) -> StorageError {
    let parent = parent.display();
    StorageError::Failed(format!(
        "documents in memory need a temporary file, but {parent} cannot be written: {error}; set TMPDIR"
    ))
}
