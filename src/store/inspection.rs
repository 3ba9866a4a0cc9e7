//! [`Inspection`]: looks at a database for faults, also while servers use it, and changes nothing.

use super::sql::layer::{SqlError, Transaction, query};
use super::sql::{Address, DatabaseOptions, OpenError, SqlStore};
use super::{StoreError, postgres, sqlite};
use crate::clock::Timestamp;

/// A database that is only read.
pub struct Inspection {
    on: Database,
    schema: Schema,
}

/// The versions of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schema {
    /// The version of the database. It is 0 if no server has used it.
    pub found: usize,
    /// The version that this program knows.
    pub known: usize,
}

/// How much of a database is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// The pages of the file.
    Quick,
    /// The pages, and whether indexes agree with their tables.
    Thorough,
}

enum Database {
    File(sqlite::Reading),
    Postgres(SqlStore),
}

/// What must not be found in the tables of documents, each with a statement that counts it.
const DOCUMENT_FAULTS: [(&str, &str); 6] = [
    (
        "documents belong to a collection that does not exist",
        "SELECT count(*) FROM documents WHERE collection NOT IN (SELECT number FROM heads)",
    ),
    (
        "collections have another number of documents than they should",
        "SELECT count(*) FROM heads WHERE documents <> (SELECT count(*) FROM documents \
         WHERE documents.collection = heads.number AND documents.fields IS NOT NULL)",
    ),
    (
        "documents have a later version than their collection",
        "SELECT count(*) FROM documents JOIN heads ON heads.number = documents.collection WHERE documents.seq > heads.seq",
    ),
    (
        "entries belong to an index that does not exist",
        "SELECT count(*) FROM document_keys WHERE index_number NOT IN (SELECT number FROM document_indexes)",
    ),
    (
        "entries of indexes belong to a document that does not exist",
        "SELECT count(*) FROM document_keys JOIN document_indexes ON document_indexes.number = document_keys.index_number \
         WHERE document_indexes.collection IS NOT NULL AND NOT EXISTS (SELECT 1 FROM documents \
         WHERE documents.collection = document_indexes.collection AND documents.id = document_keys.id \
         AND documents.fields IS NOT NULL)",
    ),
    (
        "indexes lack documents of their collection",
        "SELECT count(*) FROM document_indexes JOIN heads ON heads.number = document_indexes.collection \
         WHERE document_indexes.is_ready AND heads.documents <> (SELECT count(DISTINCT id) FROM document_keys \
         WHERE document_keys.index_number = document_indexes.number)",
    ),
];

impl Inspection {
    /// Opens a database, which may be in use by servers.
    ///
    /// # Errors
    /// Returns an [`OpenError`]. A PostgreSQL database with the schema of another version cannot be opened.
    pub async fn open(address: &str, options: DatabaseOptions) -> Result<Self, OpenError> {
        Ok(match Address::of(address)? {
            Address::Sqlite(path) => {
                let file = sqlite::Reading::in_use(path.as_ref()).await?;
                let schema = Schema { found: file.version(), known: sqlite::Reading::known() };
                Self { on: Database::File(file), schema }
            }
            Address::Postgres(url) => {
                let store = SqlStore::new(postgres::open_to_read(url, options).await?);
                let known = postgres::known_version();
                Self { on: Database::Postgres(store), schema: Schema { found: known, known } }
            }
        })
    }

    /// Returns the versions of the schema.
    #[must_use]
    pub const fn schema(&self) -> Schema {
        self.schema
    }

    /// Returns what is wrong with the pages of a file and with references between its rows. PostgreSQL has tools of its
    /// own for that, so the list is empty.
    ///
    /// # Errors
    /// Returns [`StoreError::Failed`] if the database cannot be read.
    pub async fn faults(&self, thoroughness: Thoroughness) -> Result<Vec<String>, StoreError> {
        let Database::File(file) = &self.on else { return Ok(Vec::new()) };
        Ok(file.faults(thoroughness).await.map_err(SqlError::Failed)?)
    }

    /// Returns the store, which can only be read.
    ///
    /// # Errors
    /// Returns an [`OpenError`] if its schema is that of another version.
    pub fn into_store(self) -> Result<SqlStore, OpenError> {
        let Schema { found, known } = self.schema;
        match self.on {
            Database::Postgres(store) => Ok(store),
            Database::File(file) if found == known => Ok(file.into_store()),
            Database::File(file) if found < known => Err(OpenError::Older { database: file.name(), found, known }),
            Database::File(file) => Err(OpenError::Newer { database: file.name(), found, known }),
        }
    }
}

impl SqlStore {
    /// Returns what is wrong with the documents, their indexes and their numbers, all read from one state of the database.
    /// It reads all documents.
    ///
    /// # Errors
    /// Returns [`StoreError::Failed`] if the database cannot be read.
    pub async fn document_faults(&self) -> Result<Vec<String>, StoreError> {
        let mut reading = self.reader().read().await?;
        let mut faults = Vec::new();
        for (fault, count) in DOCUMENT_FAULTS {
            let row = query(count).fetch_one(&mut reading).await?;
            let count: i64 = row.get(0)?;
            if count > 0 {
                faults.push(format!("{count} {fault}"));
            }
        }
        Ok(faults)
    }

    /// Returns the time of the database's server. `None` for a file.
    ///
    /// # Errors
    /// Returns [`StoreError::Failed`] if the database cannot be read.
    pub async fn server_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut reading = self.reader().read().await?;
        let Transaction::Postgres(..) = &reading else { return Ok(None) };
        let now = query("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)");
        Ok(Some(Timestamp::from_milliseconds(now.fetch_one(&mut reading).await?.get(0)?)))
    }
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inspection").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bolide_test_servers::Postgres;

    use super::*;

    const SOUND: &str =
        "INSERT INTO heads (number, collection, seq, purged_to, documents, bytes) VALUES (1, 'notes', 2, 0, 1, 2)";

    /// Statements that break what is sound, each with what is found then.
    const BROKEN: [(&str, &str); 6] = [
        (
            "INSERT INTO documents (collection, id, fields, seq) VALUES (7, 'a', '{}', 1)",
            "1 documents belong to a collection that does not exist",
        ),
        ("UPDATE heads SET documents = 2", "1 collections have another number of documents than they should"),
        ("UPDATE documents SET seq = 9 WHERE id = 'a'", "1 documents have a later version than their collection"),
        (
            "INSERT INTO document_keys (index_number, key, id, elements) VALUES (9, 'k', 'a', 0)",
            "1 entries belong to an index that does not exist",
        ),
        (
            "INSERT INTO document_keys (index_number, key, id, elements) VALUES (1, 'k', 'gone', 0)",
            "1 entries of indexes belong to a document that does not exist",
        ),
        ("DELETE FROM document_keys", "1 indexes lack documents of their collection"),
    ];

    async fn faults_after(address: &str, statement: Option<&'static str>) -> Vec<String> {
        let store = SqlStore::open(address).await.unwrap();
        let ready = if address.starts_with("postgres") { "TRUE" } else { "1" };
        let index =
            format!("INSERT INTO document_indexes (number, collection, name, is_ready) VALUES (1, 1, 'n', {ready})");
        let mut writing = store.begin().await;
        for sound in [
            SOUND,
            "INSERT INTO documents (collection, id, fields, seq) VALUES (1, 'a', '{}', 2), (1, 'removed', NULL, 1)",
            "INSERT INTO document_keys (index_number, key, id, elements) VALUES (1, 'k', 'a', 0)",
        ] {
            query(sound).execute(&mut writing).await.unwrap();
        }
        query(index).execute(&mut writing).await.unwrap();
        if let Some(statement) = statement {
            query(statement).execute(&mut writing).await.unwrap();
        }
        writing.commit().await.unwrap();
        store.document_faults().await.unwrap()
    }

    #[tokio::test]
    async fn each_fault_of_documents_and_indexes_is_found_in_both_databases() {
        for is_postgres in [false, true] {
            let address = || if is_postgres { Postgres::shared().database() } else { "sqlite::memory:".to_owned() };
            assert_eq!(faults_after(&address(), None).await, Vec::<String>::new());
            for (statement, fault) in BROKEN {
                let found = faults_after(&address(), Some(statement)).await;
                assert!(found.iter().any(|found| found == fault), "`{fault}` is not in {found:?} after {statement}");
            }
        }
    }
}
