//! Writes through the one writing connection, then removes what was written from the caches and notifies the watchers.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::SqliteStore;
use super::cache::Cache;
use super::row::{failed, get};
use crate::store::{HashedToken, LoginToken, StoreError, StoreFuture, Topic, User};
use crate::user::UserId;

pub(super) type Statement<'statement> = sqlx::query::Query<'statement, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// The users and tokens that were read recently.
#[derive(Default)]
pub(super) struct Caches {
    pub(super) users: Cache<UserId, User>,
    pub(super) tokens: Cache<HashedToken, LoginToken>,
}

/// What a write changes.
#[derive(Clone, Copy)]
pub(super) enum Touches<'store> {
    /// Nothing that is cached or watched.
    Nothing,
    /// Something that is watched and not cached.
    Topic(Topic),
    User(&'store UserId),
    Token(&'store HashedToken),
    /// Several tokens.
    Tokens,
    /// Users and their tokens.
    Everything,
}

/// A write in progress. If its future is dropped, nothing is cached until its outcome is known.
struct Writing<'store> {
    store: &'store SqliteStore,
    touches: Touches<'store>,
    has_ended: bool,
}

impl SqliteStore {
    /// Runs one conditional write of something that is neither cached nor watched. Returns whether it changed anything.
    pub(super) fn change<'store>(&'store self, statement: Statement<'store>) -> StoreFuture<'store, bool> {
        self.change_of(Touches::Nothing, statement)
    }

    /// Runs one conditional write. Returns whether it changed anything.
    pub(super) fn change_of<'store>(
        &'store self,
        touches: Touches<'store>,
        statement: Statement<'store>,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move {
            let writing = Writing::begin(self, touches);
            let changed = statement.execute(&self.writer).await;
            writing.end();
            Ok(changed.map_err(failed)?.rows_affected() > 0)
        })
    }

    /// Deletes tokens, and returns the deleted ones.
    pub(super) fn remove_tokens<'store>(
        &'store self,
        statement: Statement<'store>,
    ) -> StoreFuture<'store, Vec<HashedToken>> {
        Box::pin(async move {
            let writing = Writing::begin(self, Touches::Tokens);
            let rows = statement.fetch_all(&self.writer).await;
            writing.end();
            rows.map_err(failed)?
                .iter()
                .map(|row| Ok(HashedToken::from_base64(get::<String>(row, "hashed")?)))
                .collect()
        })
    }

    /// Runs `work` in a transaction; other writes wait until it has ended.
    pub(super) async fn transaction<'store, T: Send>(
        &'store self,
        touches: Touches<'store>,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut connection = self.writer.acquire().await.map_err(failed)?;
        let writing = Writing::begin(self, touches);
        let outcome = async {
            let mut whole = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            let outcome = work(&mut whole).await?;
            whole.commit().await.map_err(failed)?;
            Ok(outcome)
        };
        let outcome = outcome.await;
        writing.end();
        outcome
    }
}

impl<'store> Writing<'store> {
    const fn begin(store: &'store SqliteStore, touches: Touches<'store>) -> Self {
        Self { store, touches, has_ended: false }
    }

    /// Ends a write that succeeded or failed: what it touches is read from the database again.
    fn end(mut self) {
        self.has_ended = true;
        let (caches, changes) = (&self.store.caches, &self.store.changes);
        match self.touches {
            Touches::Nothing | Touches::Topic(_) => {}
            Touches::User(id) => caches.users.forget(id),
            Touches::Token(hashed) => caches.tokens.forget(hashed),
            Touches::Tokens => caches.tokens.forget_all(),
            Touches::Everything => {
                caches.users.forget_all();
                caches.tokens.forget_all();
            }
        }
        for topic in self.touches.topics() {
            changes.tell(*topic);
        }
    }
}

impl Touches<'_> {
    fn topics(&self) -> &[Topic] {
        match self {
            Self::Nothing => &[],
            Self::Topic(topic) => std::slice::from_ref(topic),
            Self::User(_) => &[Topic::Users],
            Self::Token(_) | Self::Tokens => &[Topic::Tokens],
            Self::Everything => &[Topic::Users, Topic::Tokens],
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.has_ended || matches!(self.touches, Touches::Nothing | Touches::Topic(_)) {
            return;
        }
        let (caches, writer) = (Arc::clone(&self.store.caches), self.store.writer.clone());
        caches.users.suspend();
        caches.tokens.suspend();
        // Without a runtime, the caches stay suspended.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(resume_after(caches, writer));
        }
    }
}

/// Resumes the caches. The statement waits for the writing connection, so the abandoned write has ended when it runs.
async fn resume_after(caches: Arc<Caches>, writer: SqlitePool) {
    if sqlx::query("SELECT 1").execute(&writer).await.is_ok() {
        caches.users.resume();
        caches.tokens.resume();
    }
}
