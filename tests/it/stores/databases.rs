//! The databases that stores are tested with: SQLite in memory and in a file, and every installed version of PostgreSQL.

use std::path::PathBuf;
use std::sync::Arc;

use bolide::store::{SqlStore, Store};
use bolide_test_servers::Postgres;

/// Runs the same tests for each store.
macro_rules! every_store {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                super::$promise(crate::stores::databases::memory().await).await;
            })*
        }

        mod in_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                let database = crate::stores::databases::file(concat!(module_path!(), "::", stringify!($promise)));
                super::$promise(database.open().await).await;
            })*
        }

        mod in_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                for database in crate::stores::databases::every_postgres().await {
                    super::$promise(database.open().await).await;
                }
            })*
        }
    };
}
pub(super) use every_store;

/// Runs the same tests for each database that two stores, each with connections of its own, may have open at once.
macro_rules! every_shared_database {
    ($($promise:ident),* $(,)?) => {
        mod of_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                let database = crate::stores::databases::file(concat!(module_path!(), "::", stringify!($promise)));
                super::$promise(database).await;
            })*
        }

        mod of_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                for database in crate::stores::databases::every_postgres().await {
                    super::$promise(database).await;
                }
            })*
        }
    };
}
pub(super) use every_shared_database;

/// A database of a test. A file is deleted when it is dropped.
pub(crate) enum Database {
    File(PathBuf),
    Postgres(String),
}

pub(crate) async fn memory() -> Arc<dyn Store> {
    open("sqlite::memory:").await
}

/// Returns a store for tests of what is built on it: in memory, or in PostgreSQL if `TEST_STORE` says `postgres`.
pub(crate) async fn chosen() -> Arc<dyn Store> {
    match std::env::var("TEST_STORE").as_deref() {
        Ok("postgres") => postgres().await.open().await,
        Ok(other) => panic!("TEST_STORE is `{other}`, and may be `postgres`"),
        Err(_) => memory().await,
    }
}

pub(crate) fn file(name: &str) -> Database {
    let directory = format!("store-{}-{}", name.replace("::", "-"), std::process::id());
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory);
    std::fs::create_dir_all(&directory).unwrap();
    Database::File(directory)
}

/// Returns a new database of the newest version, with its schema.
pub(crate) async fn postgres() -> Database {
    Database::Postgres(new_database(Postgres::shared()).await)
}

/// Returns a new database of each version, with its schema.
pub(crate) async fn every_postgres() -> Vec<Database> {
    let mut databases = Vec::new();
    for version in Postgres::versions() {
        let server = tokio::task::spawn_blocking(move || version.shared()).await.unwrap();
        databases.push(Database::Postgres(new_database(server).await));
    }
    databases
}

async fn new_database(server: Postgres) -> String {
    tokio::task::spawn_blocking(move || server.database_like("bolide_store", migrate)).await.unwrap()
}

/// Opens a database once, in a runtime of its own: its connections end with that.
fn migrate(address: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { drop(open(address).await) });
}

async fn open(address: &str) -> Arc<dyn Store> {
    Arc::new(SqlStore::open(address).await.unwrap())
}

impl Database {
    pub(crate) fn address(&self) -> String {
        match self {
            Self::File(directory) => format!("sqlite:{}", directory.join("a.db").display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        open(&self.address()).await
    }

    /// Opens it a second time, as another node does. The lock of a file would keep that out, so it has another name.
    pub(crate) async fn open_again(&self) -> Arc<dyn Store> {
        let Self::File(directory) = self else { return self.open().await };
        let other = directory.join("again.db");
        std::os::unix::fs::symlink(directory.join("a.db"), &other).unwrap();
        open(&format!("sqlite:{}", other.display())).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::File(directory) = self {
            std::fs::remove_dir_all(directory).ok();
        }
    }
}
