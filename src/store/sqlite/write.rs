//! Writes: through the one connection that may; then the caches forget what was touched, and who shows it live is told.

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

/// What was read lately.
#[derive(Default)]
pub(super) struct Caches {
    pub(super) users: Cache<UserId, User>,
    pub(super) tokens: Cache<HashedToken, LoginToken>,
}

/// What a write touches.
#[derive(Clone, Copy)]
pub(super) enum Touches<'store> {
    /// Nothing that is cached or shown live.
    Nothing,
    /// Something that is shown live and not cached.
    Topic(Topic),
    User(&'store UserId),
    Token(&'store HashedToken),
    /// Several tokens.
    Tokens,
    /// Users with their tokens.
    Everything,
}

/// A write that is under way. If it is abandoned, nothing is cached until it is known what became of it.
struct Writing<'store> {
    store: &'store SqliteStore,
    touches: Touches<'store>,
    has_ended: bool,
}

impl SqliteStore {
    /// Runs one conditional write that touches nothing which is cached; says whether it changed anything.
    pub(super) fn change<'store>(&'store self, statement: Statement<'store>) -> StoreFuture<'store, bool> {
        self.change_of(Touches::Nothing, statement)
    }

    /// Runs one conditional write; says whether it changed anything.
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

    /// Removes tokens; gives those that were there.
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

    /// Runs `work` in a transaction that no other write comes between.
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

    /// The write happened or failed: what it touches is read anew.
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
        // Outside of a runtime nothing is cached any more.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(resume_after(caches, writer));
        }
    }
}

/// What waits its turn behind the abandoned write knows that it is over.
async fn resume_after(caches: Arc<Caches>, writer: SqlitePool) {
    if sqlx::query("SELECT 1").execute(&writer).await.is_ok() {
        caches.users.resume();
        caches.tokens.resume();
    }
}
