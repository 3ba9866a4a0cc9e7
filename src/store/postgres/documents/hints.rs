//! [`PostgresHints`]: hears of the changes of all nodes.

use std::pin::Pin;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};

use super::CHANNEL;
use super::failure::answer;
use crate::collection::storage::{CollectionNumber, Hint, Hints, StorageError};

/// A connection that listens.
pub(super) struct PostgresHints {
    listener: PgListener,
    /// Has this one connection.
    _pool: PgPool,
}

impl PostgresHints {
    pub(super) async fn listen(options: &PgConnectOptions, patience: Duration) -> Result<Self, StorageError> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(patience)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options.clone());
        let mut listener = answer(patience, PgListener::connect_with(&pool)).await?;
        answer(patience, listener.listen(CHANNEL)).await?;
        // What was sent between two connections is missed.
        listener.eager_reconnect(false);
        Ok(Self { listener, _pool: pool })
    }
}

impl Hints for PostgresHints {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Hint>> + Send + '_>> {
        Box::pin(async move {
            loop {
                match self.listener.try_recv().await {
                    Ok(Some(message)) => {
                        // A message of another kind is one of a later version.
                        if let Some(hint) = hint_of(message.payload()) {
                            return Some(hint);
                        }
                    }
                    Ok(None) | Err(_) => return None,
                }
            }
        })
    }
}

fn hint_of(message: &str) -> Option<Hint> {
    let (collection, version) = message.split_once(' ')?;
    Some(Hint { collection: CollectionNumber(collection.parse().ok()?), version: version.parse().ok()? })
}
