//! How a store is opened: the addresses of databases, and why one cannot be opened.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::layer::Database;
use super::{News, SqlStore};
use crate::collection::storage::DocumentStore;
use crate::store::{postgres, sqlite};

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
    /// The file has 0 bytes, and a server has used it before.
    #[error(
        "the database {path} has 0 bytes, but a server has stored data in it; restore it with `bolide restore`, or delete \
         {path}, {path}-wal and {path}.lock to start with an empty one"
    )]
    Emptied {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file does not exist, and is not created by who only reads it.
    #[error("there is no database {0}; --data-dir sets its directory, and --database another one")]
    Missing(PathBuf),
    /// A file failed while it was opened, and nothing says that it is damaged: the disk is full, for example.
    #[error("the database {path} cannot be opened: {reason}; {advice}")]
    Failed {
        /// The path of the file.
        path: PathBuf,
        /// The error of SQLite.
        reason: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it.
        advice: &'static str,
    },
    /// The database was written by a newer version.
    #[error(
        "the database {database} was written by a newer version (schema {found}, this one knows {known}); update Bolide"
    )]
    Newer {
        /// The path of the file, or the name of the database with its server.
        database: String,
        /// The version of its schema.
        found: usize,
        /// The version that this program knows.
        known: usize,
    },
    /// The database was written by an older version, and who only reads it does not change its schema.
    #[error(
        "the database {database} has the schema {found} of an older version, this one knows {known}; use the program of \
         that version, or start `bolide serve` of this one first, which brings the schema up to date"
    )]
    Older {
        /// The path of the file, or the name of the database with its server.
        database: String,
        /// The version of its schema.
        found: usize,
        /// The version that this program knows.
        known: usize,
    },
    /// The PostgreSQL server cannot be reached, or does not let this program in.
    #[error("the database {database} cannot be opened: {reason}; check the server, and the address in --database")]
    Unreachable {
        /// The name of the database with its server, without the password.
        database: String,
        /// The error of the server or the network.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The schema of a PostgreSQL database cannot be brought up to date.
    #[error(
        "the schema of the database {database} cannot be brought up to date: {reason}; its user must own its tables, and be allowed to create more"
    )]
    Schema {
        /// The name of the database with its server, without the password.
        database: String,
        /// The error of the server.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address is malformed. The error does not contain it, since it may contain a password.
    #[error(
        "the address of a database (--database) must be `sqlite:PATH`, `sqlite::memory:` or \
         `postgres://USER:PASSWORD@HOST:PORT/NAME`: {0}"
    )]
    Address(String),
}

/// Where the data of a store are.
pub(in crate::store) struct Opened {
    pub(in crate::store) database: Database,
    pub(in crate::store) documents: Arc<dyn DocumentStore>,
    pub(in crate::store) news: News,
    pub(in crate::store) guard: Option<Box<dyn Any + Send + Sync>>,
}

/// How a PostgreSQL database is used. Other databases ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseOptions {
    /// The maximum number of connections of this node, for statements. Two more listen to other nodes. The default is 10.
    pub connections: u32,
    /// The time after which the server ends a statement. The default is 30 seconds.
    pub statement_timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { connections: 10, statement_timeout: Duration::from_secs(30) }
    }
}

impl SqlStore {
    /// Opens a database and brings its schema up to date.
    ///
    /// - `sqlite:PATH`: a file, which is created if it is missing;
    /// - `sqlite::memory:`: a new database in memory;
    /// - `postgres://USER:PASSWORD@HOST:PORT/NAME`: a database of a PostgreSQL server, which several nodes may share. With
    ///   `?sslmode=verify-full`, the connection is encrypted and the server's certificate is checked.
    ///
    /// # Errors
    /// Returns an [`OpenError`], whose message names the file or the server.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        Self::open_with(address, DatabaseOptions::default()).await
    }

    /// Opens a database with options; see [`open`](Self::open).
    ///
    /// # Errors
    /// Returns an [`OpenError`], whose message names the file or the server.
    pub async fn open_with(address: &str, options: DatabaseOptions) -> Result<Self, OpenError> {
        Ok(Self::new(match Address::of(address)? {
            Address::Sqlite(path) => sqlite::open(path).await?,
            Address::Postgres(url) => postgres::open(url, options).await?,
        }))
    }

    pub(in crate::store) fn new(Opened { database, documents, news, guard }: Opened) -> Self {
        let News { caches, changes } = news;
        Self { database, caches, changes, documents, _guard: guard }
    }
}

/// Where a database is.
#[derive(Clone, Copy)]
pub(in crate::store) enum Address<'address> {
    /// The path of a file, or `:memory:`.
    Sqlite(&'address str),
    /// A `postgres://` URL.
    Postgres(&'address str),
}

impl<'address> Address<'address> {
    pub(in crate::store) fn of(address: &'address str) -> Result<Self, OpenError> {
        if let Some(path) = address.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(path));
        }
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return Ok(Self::Postgres(address));
        }
        Err(OpenError::Address("this one begins with something else".to_owned()))
    }
}
