//! [`Database`]: the connections to SQLite or PostgreSQL, and transactions on them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Sqlite;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::failure::{answer, answer_to_write};
use super::{Lent, LentTransaction, Sql, SqlError, query};
use crate::figures::{PoolFigures, PoolReport, Raised, TimedStatement};
use crate::user::UserId;

/// A database with its connections.
#[derive(Clone, Debug)]
pub(in crate::store) struct Database {
    /// Where statements run that only read.
    pub(in crate::store) reader: Pool,
    /// Where statements run that write. SQLite has one such connection, and PostgreSQL uses the same pool for both.
    pub(in crate::store) writer: Pool,
}

/// Connections to a database.
#[derive(Clone, Debug)]
pub(in crate::store) enum Pool {
    Sqlite(SqliteConnections),
    Postgres(PostgresPool),
}

/// Connections to SQLite.
#[derive(Clone, Debug)]
pub(in crate::store) struct SqliteConnections {
    pub(in crate::store) connections: SqlitePool,
    pub(super) figures: Arc<PoolFigures>,
}

/// Connections to PostgreSQL.
#[derive(Clone, Debug)]
pub(in crate::store) struct PostgresPool {
    pub(in crate::store) connections: PgPool,
    /// The time after which a connection without an answer is given up. It is longer than the server's own timeout of
    /// statements: it ends what waits for a server that is away without a word.
    pub(in crate::store) patience: Duration,
    pub(super) figures: Arc<PoolFigures>,
}

/// What a transaction is counted by, as long as it has its connection.
#[derive(Debug)]
pub(in crate::store) struct CountedUser {
    figures: Arc<PoolFigures>,
    _user: Raised,
}

/// A transaction. If it is dropped, nothing is written.
///
/// In SQLite, a transaction that writes runs alone. In PostgreSQL, others run at the same time, and each statement sees
/// what was committed when it began: whoever reads and then writes first [locks the user](Self::lock_user) or
/// [waits for its turn](Self::take_turn).
#[derive(Debug)]
pub(in crate::store) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>, CountedUser),
    Postgres(LentTransaction, Duration, CountedUser),
}

/// What a statement runs on.
pub(in crate::store) enum Executor<'on> {
    SqlitePool(&'on SqliteConnections),
    Sqlite(&'on mut SqliteConnection, &'on PoolFigures),
    PostgresPool(&'on PostgresPool),
    Postgres(&'on mut PgConnection, Duration, &'on PoolFigures),
}

/// What the transactions of all nodes do one after the other, because no row could be locked. A transaction takes its
/// turn before it locks a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Serial {
    /// Giving names and addresses to users.
    Names,
    /// Taking a role from a user who may be the last to have it.
    Roles,
    /// Adding to the audit log, whose numbers are in the order of commits.
    Audit,
}

impl Database {
    pub(in crate::store) fn sqlite(reader: SqlitePool, writer: SqlitePool) -> Self {
        let pool = |connections| Pool::Sqlite(SqliteConnections { connections, figures: Arc::default() });
        Self { reader: pool(reader), writer: pool(writer) }
    }

    /// Returns a database in memory, which has one connection.
    pub(in crate::store) fn sqlite_in_memory(connections: SqlitePool) -> Self {
        let pool = Pool::Sqlite(SqliteConnections { connections, figures: Arc::default() });
        Self { reader: pool.clone(), writer: pool }
    }

    pub(in crate::store) fn postgres(pool: PostgresPool) -> Self {
        Self { reader: Pool::Postgres(pool.clone()), writer: Pool::Postgres(pool) }
    }

    /// Returns what its pools do: one for reading and one for writing, or one for both.
    pub(in crate::store) fn pools(&self) -> Vec<PoolReport> {
        if std::ptr::eq(self.reader.figures(), self.writer.figures()) {
            return vec![self.writer.report("all")];
        }
        vec![self.reader.report("reader"), self.writer.report("writer")]
    }
}

impl Pool {
    /// Begins a transaction that writes.
    pub(in crate::store) async fn write(&self) -> Result<Transaction, SqlError> {
        Ok(match self {
            Self::Sqlite(pool) => pool.begin("BEGIN IMMEDIATE").await?,
            Self::Postgres(pool) => pool.begin("BEGIN").await?,
        })
    }

    /// Begins a transaction whose statements all read from one state of the database: that of its first statement.
    pub(in crate::store) async fn read(&self) -> Result<Transaction, SqlError> {
        Ok(match self {
            Self::Sqlite(pool) => pool.begin("BEGIN DEFERRED").await?,
            Self::Postgres(pool) => pool.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
        })
    }
}

impl Pool {
    fn figures(&self) -> &PoolFigures {
        match self {
            Self::Sqlite(pool) => &pool.figures,
            Self::Postgres(pool) => &pool.figures,
        }
    }

    fn report(&self, name: &'static str) -> PoolReport {
        let (size, idle) = match self {
            Self::Sqlite(pool) => (pool.connections.size(), pool.connections.num_idle()),
            Self::Postgres(pool) => (pool.connections.size(), pool.connections.num_idle()),
        };
        self.figures().report(name, size, idle)
    }
}

impl SqliteConnections {
    async fn begin(&self, begin: &'static str) -> Result<Transaction, SqlError> {
        let user = CountedUser::of(&self.figures);
        Ok(Transaction::Sqlite(self.connections.begin_with(begin).await?, user))
    }
}

impl PostgresPool {
    pub(in crate::store) fn new(connections: PgPool, patience: Duration) -> Self {
        Self { connections, patience, figures: Arc::default() }
    }

    /// Lends a connection, as soon as there is one.
    pub(super) async fn lend(&self) -> Result<Lent, SqlError> {
        answer(self.patience, Lent::of(&self.connections)).await
    }

    async fn begin(&self, begin: &'static str) -> Result<Transaction, SqlError> {
        let user = CountedUser::of(&self.figures);
        let transaction = answer(self.patience, self.lend().await?.begin(begin)).await?;
        Ok(Transaction::Postgres(transaction, self.patience, user))
    }
}

impl CountedUser {
    fn of(figures: &Arc<PoolFigures>) -> Self {
        Self { figures: Arc::clone(figures), _user: figures.user() }
    }
}

impl<'on> Executor<'on> {
    /// Begins to count a statement.
    pub(super) fn count(&self) -> TimedStatement<'on> {
        match self {
            Self::SqlitePool(pool) => pool.figures.statement(),
            Self::PostgresPool(pool) => pool.figures.statement(),
            Self::Sqlite(_, figures) | Self::Postgres(_, _, figures) => figures.statement_in_transaction(),
        }
    }
}

impl Transaction {
    /// Commits. If the connection is lost meanwhile, the outcome is [not known](SqlError::Unknown).
    pub(in crate::store) async fn commit(self) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(transaction, user) => {
                user.figures.statement_in_transaction().end(transaction.commit().await.map_err(SqlError::Failed))
            }
            Self::Postgres(transaction, patience, user) => {
                let timed = user.figures.statement_in_transaction();
                timed.end(answer_to_write(patience, transaction.commit()).await)
            }
        }
    }

    /// Keeps other transactions from changing a user, or what belongs to it, until this one ends. Returns whether there is
    /// such a user.
    pub(in crate::store) async fn lock_user(&mut self, id: &UserId) -> Result<bool, SqlError> {
        const LOCK: Sql =
            Sql::each("SELECT 1 FROM users WHERE id = $1", "SELECT 1 FROM users WHERE id = $1 FOR UPDATE");
        Ok(query(LOCK).bind(id.as_str()).fetch_optional(self).await?.is_some())
    }

    /// Waits until no other transaction has this turn, and keeps it until this one ends.
    pub(in crate::store) async fn take_turn(&mut self, turn: Serial) -> Result<(), SqlError> {
        // In SQLite, the whole transaction has its turn.
        let Self::Postgres(..) = self else { return Ok(()) };
        query("SELECT pg_advisory_xact_lock($1)").bind(turn.number()).execute(self).await.map(drop)
    }
}

impl Serial {
    /// Returns the number of the lock, which starts with the letters `bolide` so that it meets no other application's.
    const fn number(self) -> i64 {
        /// `bolide` in ASCII, and room for a number.
        const BASE: i64 = 0x626f_6c69_6465_0000;
        match self {
            Self::Names => BASE + 1,
            Self::Roles => BASE + 2,
            Self::Audit => BASE + 3,
        }
    }
}

impl<'on> From<&'on Pool> for Executor<'on> {
    fn from(pool: &'on Pool) -> Self {
        match pool {
            Pool::Sqlite(pool) => Self::SqlitePool(pool),
            Pool::Postgres(pool) => Self::PostgresPool(pool),
        }
    }
}

impl<'on> From<&'on mut Transaction> for Executor<'on> {
    fn from(transaction: &'on mut Transaction) -> Self {
        match transaction {
            Transaction::Sqlite(transaction, user) => Self::Sqlite(transaction, &user.figures),
            Transaction::Postgres(transaction, patience, user) => Self::Postgres(transaction, *patience, &user.figures),
        }
    }
}
