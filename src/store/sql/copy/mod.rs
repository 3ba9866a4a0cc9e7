//! [`SqlStore::copy_to`]: copies all data of a store into an empty one, possibly in another database.
//!
//! - `tables`: the tables, their columns and keys;
//! - `page`: reads and writes rows of any table;
//! - `pace`: how fast a copy may be.
//!
//! The copy is read from one state of the source and written in one transaction. Before that is committed, each table is read
//! again and compared with what was read from the source: the number of rows, and a hash of all of them.

mod pace;
mod page;
mod tables;
#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};

use super::SqlStore;
use super::layer::{SqlError, Transaction, query};
pub(in crate::store) use pace::Pace;
use page::{Cell, Cursor, insert};
use tables::{TABLES, Table};

/// The number of rows that are read at once. Documents have up to 1 MiB by default.
const ROWS_AT_ONCE: usize = 100;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedTable {
    /// The name of the table.
    pub name: &'static str,
    /// The number of rows, which is the same in both databases.
    pub rows: u64,
    /// The SHA-256 hash of all rows, in hexadecimal, which is the same in both databases.
    pub hash: String,
}

/// Why a store cannot be copied. Nothing was written, unless the error is [`Outcome`](Self::Outcome).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The target has data.
    #[error("the target is not empty: its table `{table}` has rows; copy into a new database")]
    NotEmpty {
        /// The first table with rows.
        table: &'static str,
    },
    /// A database has failed.
    #[error("the table `{table}` cannot be copied: {reason}")]
    Failed {
        /// The table that was being copied.
        table: &'static str,
        /// The error of the database.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The target has other rows than the source.
    #[error("the table `{table}` has {copied} rows in the target that are not the {read} rows of the source")]
    Different {
        /// The table.
        table: &'static str,
        /// The number of rows in the source.
        read: u64,
        /// The number of rows in the target.
        copied: u64,
    },
    /// A database has failed outside of a table.
    #[error("{0}")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection was lost during the commit.
    #[error("it is not known whether the copy is stored: {0}; if the target is empty, copy again")]
    Outcome(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SqlStore {
    /// Copies all data into an empty store: users and what they prove, settings, the audit log, waiting mails, and the
    /// documents with their indexes and versions. `progress` is told of each page: the table, and the number of its rows so
    /// far. Secrets stay sealed, so the target needs the same keys.
    ///
    /// # Errors
    /// Returns a [`CopyError`] if the target is not empty, or a database fails.
    pub async fn copy_to(
        &self,
        target: &Self,
        progress: impl FnMut(&'static str, u64) + Send,
    ) -> Result<Vec<CopiedTable>, CopyError> {
        self.copy_paced(target, Occupied::Refused, Pace::unlimited(), progress).await
    }

    /// Does the same, and decides about a target with data and about the bytes per second.
    pub(in crate::store) async fn copy_paced(
        &self,
        target: &Self,
        occupied: Occupied,
        mut pace: Pace,
        mut progress: impl FnMut(&'static str, u64) + Send,
    ) -> Result<Vec<CopiedTable>, CopyError> {
        let mut from = self.database.reader.read().await.map_err(database)?;
        pace.allow_pauses(&mut from).await.map_err(database)?;
        let mut to = target.database.writer.write().await.map_err(database)?;
        match occupied {
            Occupied::Refused => require_empty(&mut to).await?,
            Occupied::Emptied => empty(&mut to).await?,
        }
        let mut read = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            read.push(table.copy(&mut from, &mut to, &mut pace, &mut progress).await?);
        }
        // The source need not wait for the comparison.
        drop(from);
        for (table, read) in TABLES.iter().zip(&read) {
            table.compare(&mut to, read).await?;
            table.continue_numbers(&mut to).await?;
        }
        to.commit().await.map_err(|error| match error {
            SqlError::Unknown(_) => CopyError::Outcome(error.into()),
            SqlError::Failed(_) | SqlError::Nul => database(error),
        })?;
        target.caches.forget_all();
        Ok(read)
    }

    /// Returns each table with the number and the hash of its rows, all read from one state of the database.
    pub(in crate::store) async fn sums(&self) -> Result<Vec<CopiedTable>, CopyError> {
        let mut from = self.database.reader.read().await.map_err(database)?;
        let mut sums = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            sums.push(table.sum(&mut from).await?);
        }
        Ok(sums)
    }
}

/// What becomes of the data of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Occupied {
    /// A target with data is an error.
    Refused,
    /// All data are deleted, in the transaction that writes the new ones.
    Emptied,
}

async fn require_empty(to: &mut Transaction) -> Result<(), CopyError> {
    for table in &TABLES {
        table.require_empty(to).await?;
    }
    Ok(())
}

/// Deletes all rows. In PostgreSQL, other nodes wait for the end of the transaction before they read or write.
async fn empty(to: &mut Transaction) -> Result<(), CopyError> {
    if let Transaction::Postgres(..) = to {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        return query(format!("TRUNCATE {}", names.join(", "))).execute(to).await.map(drop).map_err(database);
    }
    for table in TABLES.iter().rev() {
        let delete = query(format!("DELETE FROM {}", table.name)).execute(&mut *to).await;
        delete.map_err(|error| table.failed(error))?;
    }
    Ok(())
}

impl Table {
    async fn require_empty(&self, to: &mut Transaction) -> Result<(), CopyError> {
        let any = query(format!("SELECT 1 FROM {} LIMIT 1", self.name)).fetch_optional(to).await;
        match any.map_err(|error| self.failed(error))? {
            Some(_) => Err(CopyError::NotEmpty { table: self.name }),
            None => Ok(()),
        }
    }

    async fn copy(
        &self,
        from: &mut Transaction,
        to: &mut Transaction,
        pace: &mut Pace,
        progress: &mut (impl FnMut(&'static str, u64) + Send),
    ) -> Result<CopiedTable, CopyError> {
        let (mut cursor, mut sum) = (Cursor::new(self), Sum::default());
        loop {
            let rows = cursor.next(from, ROWS_AT_ONCE).await.map_err(|error| self.failed(error))?;
            if rows.is_empty() {
                return Ok(sum.of_table(self));
            }
            for row in &rows {
                sum.add(row);
            }
            insert(to, self, &rows).await.map_err(|error| self.failed(error))?;
            progress(self.name, sum.rows);
            pace.wait_after(&rows).await;
        }
    }

    /// Reads the table again, and compares it with what was read from the source.
    async fn compare(&self, to: &mut Transaction, read: &CopiedTable) -> Result<(), CopyError> {
        let copied = self.sum(to).await?;
        if copied == *read {
            return Ok(());
        }
        Err(CopyError::Different { table: self.name, read: read.rows, copied: copied.rows })
    }

    async fn sum(&self, from: &mut Transaction) -> Result<CopiedTable, CopyError> {
        let (mut cursor, mut sum) = (Cursor::new(self), Sum::default());
        loop {
            let rows = cursor.next(from, ROWS_AT_ONCE).await.map_err(|error| self.failed(error))?;
            if rows.is_empty() {
                return Ok(sum.of_table(self));
            }
            for row in &rows {
                sum.add(row);
            }
        }
    }

    /// Has the numbers of new rows follow those that were copied. SQLite does so itself.
    async fn continue_numbers(&self, to: &mut Transaction) -> Result<(), CopyError> {
        let (Some(column), Transaction::Postgres(..)) = (self.numbered, &*to) else { return Ok(()) };
        let name = self.name;
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), coalesce(max({column}), 0) + 1, FALSE) FROM {name}"
        );
        query(next).fetch_one(to).await.map(drop).map_err(|error| self.failed(error))
    }

    fn failed(&self, reason: SqlError) -> CopyError {
        CopyError::Failed { table: self.name, reason: reason.into() }
    }
}

fn database(error: SqlError) -> CopyError {
    CopyError::Database(error.into())
}

/// The number and the hash of rows.
#[derive(Default)]
struct Sum {
    rows: u64,
    hash: Sha256,
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            cell.add_to(&mut self.hash);
        }
    }

    fn of_table(self, table: &Table) -> CopiedTable {
        let hash = data_encoding::HEXLOWER.encode(&self.hash.finalize());
        CopiedTable { name: table.name, rows: self.rows, hash }
    }
}
