//! [`PostgresBus`]: connects nodes through the notifications of the database that they share, for clusters without NATS.
//!
//! A notification is bounded to 8,000 bytes and takes a lock of the whole database when it is committed. That is enough for
//! hints; an application that sends many events of streams, or has collections in memory, is better off with NATS.

use std::fmt;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::queue::{Queue, queue};
use super::{Bus, BusReceiver, BusSender, ClusterName};

/// The name of the bus.
const NAME: &str = "postgres";

/// The channel of the notifications.
const CHANNEL: &str = "bolide_bus";

/// The maximum size of a notification: it must be shorter than 8,000 bytes.
const MAX_BYTES: usize = 7_999;

/// The maximum number of messages in one statement.
const BATCH: usize = 64;

/// The timeout for a connection and for a statement.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may be silent. A node hears at least its own beats, each second.
const SILENCE: Duration = Duration::from_secs(10);

/// The time between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// A bus over `LISTEN` and `NOTIFY` of PostgreSQL, on the channel `bolide_bus`. Each node takes two connections. They must not go
/// through a pooler that gives a connection to others between transactions: such a pooler loses `LISTEN`.
#[derive(Clone)]
pub struct PostgresBus {
    options: PgConnectOptions,
}

/// The error for the URL of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the database cannot be read; it looks like postgres://USER:PASSWORD@HOST:5432/DATABASE")]
pub struct InvalidPostgresUrl;

impl PostgresBus {
    /// Returns a bus over the database with this URL: `postgres://USER:PASSWORD@HOST:5432/DATABASE`, with the same parameters
    /// as for the store.
    ///
    /// # Errors
    /// Returns [`InvalidPostgresUrl`] if the URL is malformed.
    pub fn new(url: &str) -> Result<Self, InvalidPostgresUrl> {
        let options: PgConnectOptions = url.parse().map_err(|_| InvalidPostgresUrl)?;
        Ok(Self::with_options(options))
    }

    fn with_options(options: PgConnectOptions) -> Self {
        Self { options: options.application_name("bolide-bus").disable_statement_logging() }
    }
}

impl Bus for PostgresBus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn max_message_bytes(&self) -> usize {
        MAX_BYTES
    }

    fn join(&self, _: &ClusterName, receiver: BusReceiver) -> BusSender {
        let (sender, queue) = queue(NAME);
        let options = self.options.clone();
        tokio::spawn(async move {
            // The node has gone when there is nothing to send any more.
            tokio::select! {
                () = send(&options, queue) => {}
                () = receive(&options, &receiver) => {}
            }
        });
        sender
    }
}

/// Sends messages until the node has gone.
async fn send(options: &PgConnectOptions, mut queue: Queue) {
    let mut connection = None;
    loop {
        let messages = queue.next(BATCH).await;
        if messages.is_empty() {
            return close(connection).await;
        }
        // A connection that has failed is dropped, and not waited for.
        connection = match timeout(TIMEOUT, notify(connection.take(), options, &messages)).await {
            Ok(Ok(connection)) => Some(connection),
            Ok(Err(error)) => {
                tracing::debug!(%error, "notifications cannot be sent");
                None
            }
            Err(_) => None,
        };
    }
}

async fn notify(
    connection: Option<PgConnection>,
    options: &PgConnectOptions,
    messages: &[Arc<[u8]>],
) -> Result<PgConnection, sqlx::Error> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => options.connect().await?,
    };
    let messages: Vec<&str> = messages.iter().filter_map(|message| str::from_utf8(message).ok()).collect();
    // One statement and one commit, in the order of the list.
    sqlx::query("SELECT pg_notify($1, message) FROM unnest($2::text[]) AS sent (message)")
        .bind(CHANNEL)
        .bind(&messages)
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

async fn close(connection: Option<PgConnection>) {
    if let Some(connection) = connection {
        let _late = timeout(TIMEOUT, connection.close()).await;
    }
}

/// Receives messages until the node has gone. Connects again whenever the connection is lost.
async fn receive(options: &PgConnectOptions, receiver: &BusReceiver) {
    while !receiver.is_gone() {
        if let Ok(Ok(mut listener)) = timeout(TIMEOUT, listen(options)).await {
            receiver.connected();
            while let Ok(Ok(Some(notification))) = timeout(SILENCE, listener.try_recv()).await {
                receiver.message(notification.payload().as_bytes());
            }
            receiver.disconnected();
        }
        sleep(PAUSE).await;
    }
}

async fn listen(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    // A pool of its own: a listener gives its connection back to the pool, in which a dead one would stay.
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.ignore_pool_close_event(true);
    // What is lost meanwhile must be noticed, which `receive` does.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

impl fmt::Debug for PostgresBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password.
        formatter.debug_struct("PostgresBus").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_checked_and_not_shown() {
        let bus = PostgresBus::new("postgres://me:secret@db.example/chat").unwrap();
        assert!(!format!("{bus:?}").contains("secret"));
        assert_eq!(PostgresBus::new("nonsense").err(), Some(InvalidPostgresUrl));
    }
}
