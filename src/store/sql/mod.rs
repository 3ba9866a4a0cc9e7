//! [`SqlStore`]: the store in SQL, on SQLite or PostgreSQL.
//!
//! - `layer`: one way to both databases;
//! - `open`: the addresses of databases, and why one cannot be opened;
//! - `write`, `cache`, `lease`: writes, and for how long what was read is kept;
//! - `news`: what other nodes have written;
//! - `page`: the statements that read pages of documents;
//! - `copy`: all data to another database;
//! - the others: the statements of each aggregate.
//!
//! What only one of the databases has is in [`sqlite`](super::sqlite) and [`postgres`](super::postgres).

mod access;
mod audit;
mod cache;
mod canary;
mod codes;
mod columns;
mod copy;
mod failures;
pub(super) mod layer;
pub(super) mod lease;
mod mails;
mod news;
mod open;
pub(super) mod page;
mod passkeys;
mod settings;
mod tokens;
mod users;
mod write;

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use super::postgres::{OTHERS, others};
use super::private::{Cached, Private, StoresDocuments, Watched};
use super::{Changes, HashedToken, Store, StoreError};
use crate::collection::bulk::StoredCollections;
use crate::collection::storage::DocumentStore;
use crate::figures::PoolReport;
use crate::user::UserId;
pub use copy::{CopiedTable, CopyError};
pub(super) use copy::{Occupied, Pace};
use layer::{Database, Pool, query};
pub(super) use news::News;
pub(super) use open::{Address, Opened};
pub use open::{DatabaseOptions, OpenError};
pub(super) use users::folded_name_in;
use write::{Caches, Touches};

/// A store in an SQLite file, in memory, or in a PostgreSQL database.
pub struct SqlStore {
    database: Database,
    caches: Arc<Caches>,
    changes: Arc<Changes>,
    documents: Arc<dyn DocumentStore>,
    /// What ends when the store is dropped: the lock on a file, or the task that listens to other nodes.
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Store for SqlStore {}

impl Private for SqlStore {}

impl Watched for SqlStore {
    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn pools(&self) -> Vec<PoolReport> {
        self.database.pools()
    }

    fn file(&self) -> Option<PathBuf> {
        let Pool::Sqlite(pool) = &self.database.writer else { return None };
        let file = pool.connections.connect_options().get_filename().to_owned();
        file.is_file().then_some(file)
    }
}

impl Cached for SqlStore {
    fn forget_tokens(&self, hashed: &[String]) {
        for hashed in hashed {
            self.caches.tokens.forget(&HashedToken::from_base64(hashed.as_str()));
        }
    }

    fn forget_user(&self, user: &UserId) {
        self.caches.users.forget(user);
    }

    fn forget_all_tokens(&self) {
        self.caches.tokens.forget_all();
    }
}

impl StoresDocuments for SqlStore {
    fn documents(&self) -> Arc<dyn DocumentStore> {
        Arc::clone(&self.documents)
    }
}

impl SqlStore {
    /// Returns the stored collections, for tools that do not know their declaration.
    #[must_use]
    pub fn collections(&self) -> StoredCollections {
        StoredCollections::new(self.documents())
    }

    /// Returns the number of other stores that have the database open, such as those of other nodes. It is zero for a file,
    /// which one process opens at a time.
    ///
    /// # Errors
    /// Returns [`StoreError::Failed`] if the database cannot be reached.
    pub async fn count_others(&self) -> Result<u64, StoreError> {
        let Pool::Postgres(_) = &self.database.reader else { return Ok(0) };
        let count = query(OTHERS).bind(others()).fetch_one(&self.database.reader).await?;
        Ok(u64::from(count.get_u32(0)?))
    }

    /// Returns the connections that read.
    pub(super) const fn reader(&self) -> &Pool {
        &self.database.reader
    }

    /// Closes the connections, and with them the file.
    pub(super) async fn close(self) {
        match &self.database.writer {
            Pool::Sqlite(pool) => pool.connections.close().await,
            Pool::Postgres(pool) => pool.connections.close().await,
        }
        if let Pool::Sqlite(pool) = &self.database.reader {
            pool.connections.close().await;
        }
    }

    /// Begins a transaction as a write does.
    #[cfg(test)]
    pub(super) async fn begin(&self) -> layer::Transaction {
        self.database.writer.write().await.unwrap()
    }

    /// Returns the pool that writes to SQLite.
    #[cfg(test)]
    pub(super) fn sqlite_writer(&self) -> &sqlx::SqlitePool {
        match &self.database.writer {
            Pool::Sqlite(pool) => &pool.connections,
            Pool::Postgres(_) => panic!("the store is not in SQLite"),
        }
    }
}

impl std::fmt::Debug for SqlStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SqlStore").finish_non_exhaustive()
    }
}
