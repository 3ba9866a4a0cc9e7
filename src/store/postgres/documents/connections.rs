//! [`Connections`]: the connections for documents, and what is set in each.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgQueryResult, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, Executor as _, Postgres, Row as _};
use tokio::time::timeout;

use super::failure::{answer, failed, is_lost};
use crate::collection::storage::StorageError;
use crate::store::sql::layer::{Lent, LentTransaction};

/// The number of connections that write. The writes of a node to its collections are one transaction after the other; the
/// others build and drop indexes.
const WRITERS: u32 = 3;

/// How long an operation waits for a connection, and for a server that does not accept one: as long as a restart takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time after which a connection is asked whether it still answers before it is used again.
const IDLE: Duration = Duration::from_secs(1);

/// The time within which a connection must answer then, or begin a transaction.
const PING: Duration = Duration::from_secs(2);

/// All statements read a few rows by an index, in its order. PostgreSQL prepares a statement once, perhaps for tables that
/// are still empty, and then prefers to read a whole table and to sort it; so it may not. With one plan that suits all
/// values, it need not plan again for each.
const ONE_PLAN: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
     SET plan_cache_mode = force_generic_plan";

/// A node that hangs in the middle of a write keeps the others from writing, so its transaction is ended.
const WRITER: &str = "SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '15s'";

/// A read may wait for whoever takes its documents, as an export does. It stops no one, but keeps old rows in the tables.
const READER: &str = "SET idle_in_transaction_session_timeout = '15min'";

/// The connections to a database.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) writer: PgPool,
    /// Connections for documents only, so that long reads do not keep sign-ins waiting.
    pub(super) reader: PgPool,
    /// The time after which a connection without an answer is given up. It is longer than the server's own timeout of
    /// statements: it ends what waits for a server that is away without a word.
    pub(super) patience: Duration,
}

impl Connections {
    /// # Errors
    /// Returns an error if the server cannot be reached.
    pub(super) async fn open(
        options: &PgConnectOptions,
        readers: u32,
        patience: Duration,
    ) -> Result<Self, StorageError> {
        let writer = pool(WRITERS, WRITER).connect_with(options.clone()).await.map_err(failed)?;
        let reader = pool(readers, READER).connect_lazy_with(options.clone());
        Ok(Self { writer, reader, patience })
    }
}

/// Returns an error if a connection does not answer in time, so that it is closed without a farewell.
async fn answers(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for < IDLE {
        return Ok(true);
    }
    timeout(PING, connection.ping()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(true)
}

/// Begins a transaction. A connection that was cut a moment ago, or does not answer, is replaced.
pub(super) async fn begin(
    pool: &PgPool,
    patience: Duration,
    text: &'static str,
) -> Result<LentTransaction, StorageError> {
    let begun = async {
        for _ in 0..pool.options().get_max_connections() {
            match timeout(PING, Lent::of(pool).await?.begin(text)).await {
                Ok(Err(error)) if is_lost(&error) => {}
                Ok(begun) => return begun,
                Err(_elapsed) => {}
            }
        }
        Lent::of(pool).await?.begin(text).await
    };
    answer(patience, begun).await
}

/// Runs a statement that only reads, and returns its rows. A connection that was cut a moment ago is replaced.
pub(super) async fn read<'values>(
    Connections { reader, patience, .. }: &Connections,
    statement: impl Fn() -> Query<'values, Postgres, PgArguments>,
) -> Result<Vec<PgRow>, StorageError> {
    let rows = async {
        for _ in 0..reader.options().get_max_connections() {
            match statement().fetch_all(&mut *Lent::of(reader).await?).await {
                Err(error) if is_lost(&error) => {}
                rows => return rows,
            }
        }
        statement().fetch_all(&mut *Lent::of(reader).await?).await
    };
    answer(*patience, rows).await
}

/// Runs a statement that writes, and is a transaction of its own.
pub(super) async fn write(
    Connections { writer, patience, .. }: &Connections,
    statement: Query<'_, Postgres, PgArguments>,
) -> Result<PgQueryResult, StorageError> {
    let mut connection = answer(*patience, Lent::of(writer)).await?;
    answer(*patience, statement.execute(&mut *connection)).await
}

/// Runs a statement that writes a row and returns its number, and is a transaction of its own.
pub(super) async fn write_numbered(
    Connections { writer, patience, .. }: &Connections,
    statement: Query<'_, Postgres, PgArguments>,
) -> Result<i64, StorageError> {
    let mut connection = answer(*patience, Lent::of(writer)).await?;
    answer(*patience, statement.fetch_one(&mut *connection)).await?.try_get(0).map_err(failed)
}

fn pool(connections: u32, settings: &'static str) -> PgPoolOptions {
    let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    let options = options
        .test_before_acquire(false)
        .before_acquire(|connection, state| Box::pin(answers(connection, state.idle_for)));
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            connection.execute(ONE_PLAN).await?;
            connection.execute(settings).await?;
            Ok(())
        })
    })
}
