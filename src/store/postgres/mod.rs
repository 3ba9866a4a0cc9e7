//! PostgreSQL: how a database is opened, its schema, and what its nodes tell each other.

mod documents;
#[cfg(test)]
mod half_open_tests;
mod listener;
mod migrations;
#[cfg(test)]
mod tests;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::random;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

use super::sql::layer::{Database, PostgresPool};
use super::sql::lease::Lease;
use super::sql::{DatabaseOptions, News, OpenError, Opened};
use crate::chance::{Generator, SystemChance};
use documents::PostgresDocuments;
use listener::Listener;
pub(super) use migrations::known_version;
use migrations::{migrate, require_current};

/// The time that a statement waits for a free connection, or for a new one.
const WAIT: Duration = Duration::from_secs(10);

/// The time within which a connection must answer before it is used again.
const PING: Duration = Duration::from_secs(2);

/// The time that a node waits for an answer after the server should have ended a statement.
const GRACE: Duration = Duration::from_secs(5);

/// What the names of connections begin with.
const APPLICATION: &str = "bolide";

/// Counts the other stores that have the database open. The parameter is a [pattern](others) of their names.
pub(super) const OTHERS: &str = "SELECT count(DISTINCT application_name) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name LIKE $1 \
     AND application_name <> current_setting('application_name')";

/// The name of connections that only read, and are not counted as a node.
const READER: &str = "bolide-reader";

/// The number of random characters in the name of a store.
const ID_LENGTH: usize = 17;

/// Opens the database at a `postgres://` address.
pub(super) async fn open(address: &str, options: DatabaseOptions) -> Result<Opened, OpenError> {
    let server = server(address, options)?;
    let name = name_of(&server);
    let unreachable = |reason: sqlx::Error| OpenError::Unreachable { database: name.clone(), reason: reason.into() };
    let connections = pool(options.connections).connect_with(server.clone()).await.map_err(unreachable)?;
    migrate(&connections, &name).await?;
    let news = News::new(Lease::shared());
    let listener = Listener::start(server.clone(), news.clone());
    let patience = options.statement_timeout.saturating_add(GRACE);
    Ok(Opened {
        database: Database::postgres(PostgresPool::new(connections, patience)),
        documents: Arc::new(PostgresDocuments::new(server, options.connections, patience)),
        news,
        guard: Some(Box::new(listener)),
    })
}

/// Opens a database to read from it, next to its nodes. Fails if its schema is that of another version, and does not hear
/// of changes.
pub(super) async fn open_to_read(address: &str, options: DatabaseOptions) -> Result<Opened, OpenError> {
    let server = server(address, options)?.application_name(READER).options([("default_transaction_read_only", "on")]);
    let name = name_of(&server);
    let unreachable = |reason: sqlx::Error| OpenError::Unreachable { database: name.clone(), reason: reason.into() };
    let connections = pool(options.connections).connect_with(server.clone()).await.map_err(unreachable)?;
    require_current(&connections, &name).await?;
    let patience = options.statement_timeout.saturating_add(GRACE);
    Ok(Opened {
        database: Database::postgres(PostgresPool::new(connections, patience)),
        documents: Arc::new(PostgresDocuments::new(server, options.connections, patience)),
        news: News::new(Lease::alone()),
        guard: None,
    })
}

fn server(address: &str, options: DatabaseOptions) -> Result<PgConnectOptions, OpenError> {
    let server = PgConnectOptions::from_str(address).map_err(|error| OpenError::Address(error.to_string()))?;
    // Zero would be no timeout.
    let timeout = options.statement_timeout.as_millis().max(1).to_string();
    Ok(server.application_name(&application_name()).options([
        ("statement_timeout", timeout.as_str()),
        // What a node holds that is stopped within a transaction must not keep the others waiting.
        ("idle_in_transaction_session_timeout", timeout.as_str()),
        // The server gives up a connection over which this node is not heard for half a minute, and what it holds for it.
        ("tcp_keepalives_idle", "15"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "30000"),
        // Whatever the server's default is: stricter levels would refuse what waits for its turn.
        ("default_transaction_isolation", "read committed"),
    ]))
}

/// Draws the name by which the server's lists show the connections of this store, such as `bolide 2QyfTSmbmNDmQvqCj`.
fn application_name() -> String {
    format!("{APPLICATION} {}", random::id_of_length(&mut Generator(&SystemChance), ID_LENGTH))
}

/// Returns the pattern of the names of all stores.
pub(super) fn others() -> String {
    format!("{APPLICATION} %")
}

/// Returns a pool that closes connections which do not answer, such as those to a server that has crashed.
fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections.max(1))
        .acquire_timeout(WAIT)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(answers(connection)))
}

/// Returns an error if a connection does not answer in time, so that it is closed without a farewell.
async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    tokio::time::timeout(PING, connection.ping()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(true)
}

/// Returns the name of a database with its server, without the password.
fn name_of(server: &PgConnectOptions) -> String {
    let database = server.get_database().unwrap_or_else(|| server.get_username());
    format!("{database} on {}:{}", server.get_host(), server.get_port())
}
