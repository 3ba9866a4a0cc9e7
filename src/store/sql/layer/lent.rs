//! [`Lent`] and [`LentTransaction`]: a connection of a pool of PostgreSQL, which goes back when it is dropped.
//!
//! The pool asks a connection that comes back whether it still answers, and waits for that without a limit; its place in the
//! pool is taken meanwhile. A link that swallows what is sent would take all places so, for as long as the operating system
//! repeats what was not acknowledged, which is a quarter of an hour. Here, a connection that does not answer soon is closed.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The time within which a connection that goes back must answer.
const ANSWER: Duration = Duration::from_secs(2);

/// A connection of a pool.
pub(in crate::store) struct Lent {
    /// `None` while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    state: State,
}

/// A transaction on a connection of a pool. If it is dropped, nothing is written.
pub(in crate::store) struct LentTransaction(Lent);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not in a transaction.
    Idle,
    /// It is in a transaction.
    Open,
    /// A transaction begins on it or is committed, and the answer is not there yet.
    Uncertain,
}

impl Lent {
    /// Takes a connection, as soon as there is one.
    pub(in crate::store) async fn of(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: Some(pool.acquire().await?), state: State::Idle })
    }

    /// Begins a transaction with this statement.
    pub(in crate::store) async fn begin(mut self, statement: &'static str) -> Result<LentTransaction, sqlx::Error> {
        self.turn(statement, State::Open).await?;
        Ok(LentTransaction(self))
    }

    async fn turn(&mut self, statement: &'static str, to: State) -> Result<(), sqlx::Error> {
        self.state = State::Uncertain;
        sqlx::raw_sql(statement).execute(&mut **self).await?;
        self.state = to;
        Ok(())
    }
}

impl LentTransaction {
    /// Commits. After an error, or if this is dropped before its end, the connection is closed.
    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.0.turn("COMMIT", State::Idle).await
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::Idle, Ok(runtime)) => drop(runtime.spawn(give_back(connection))),
            (State::Open, Ok(runtime)) => drop(runtime.spawn(roll_back(connection))),
            (State::Uncertain, _) | (_, Err(_)) => close(connection),
        }
    }
}

/// Ends a transaction, so that nothing is written, and gives the connection back.
async fn roll_back(mut connection: PoolConnection<Postgres>) {
    match timeout(ANSWER, sqlx::raw_sql("ROLLBACK").execute(&mut *connection)).await {
        Ok(Ok(_)) => give_back(connection).await,
        Ok(Err(_)) | Err(_) => close(connection),
    }
}

/// Gives a connection back, or closes it if it does not answer.
async fn give_back(mut connection: PoolConnection<Postgres>) {
    if timeout(ANSWER, connection.return_to_pool()).await.is_err() {
        tracing::debug!("a connection to the database does not answer any more, and is closed");
    }
}

/// Closes a connection at once, without a farewell. Its place in the pool is free then.
fn close(mut connection: PoolConnection<Postgres>) {
    // The future has the connection.
    drop(connection.return_to_pool());
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect("it is there until this is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect("it is there until this is dropped")
    }
}

impl Deref for LentTransaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for LentTransaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl fmt::Debug for LentTransaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LentTransaction").finish_non_exhaustive()
    }
}
