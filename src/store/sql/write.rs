//! Writes, then removes what was written from the caches and notifies the watchers of this node.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::SqlStore;
use super::cache::Cache;
use super::columns::hashed_token;
use super::layer::{Pool, Statement, Transaction, query};
use super::lease::Lease;
use crate::store::{HashedToken, LoginToken, StoreError, StoreFuture, Topic, User};
use crate::user::UserId;

/// The users and tokens that were read recently.
pub(in crate::store) struct Caches {
    pub(super) users: Cache<UserId, User>,
    pub(super) tokens: Cache<HashedToken, LoginToken>,
    pub(super) lease: Arc<Lease>,
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
    store: &'store SqlStore,
    touches: Touches<'store>,
    has_ended: bool,
}

impl SqlStore {
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
        Box::pin(async move { Ok(self.change_all(touches, statement).await? > 0) })
    }

    /// Runs one write. Returns the number of rows that it has changed.
    pub(super) async fn change_all(&self, touches: Touches<'_>, statement: Statement<'_>) -> Result<u64, StoreError> {
        let writing = Writing::begin(self, touches);
        let changed = statement.execute(&self.database.writer).await;
        writing.end();
        Ok(changed?)
    }

    /// Runs `work` in a transaction. In SQLite, other writes wait until it has ended; in PostgreSQL, those that lock the
    /// same user.
    pub(super) async fn transaction<'store, T: Send>(
        &'store self,
        touches: Touches<'store>,
        work: impl for<'c> FnOnce(&'c mut Transaction) -> BoxFuture<'c, Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut transaction = self.database.writer.write().await?;
        let writing = Writing::begin(self, touches);
        let outcome = async {
            let outcome = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok(outcome)
        };
        let outcome = outcome.await;
        writing.end();
        outcome
    }

    /// Deletes tokens of a user, and returns the deleted ones. `user` is locked first, so that a login that ends adds no
    /// more of them.
    pub(super) async fn remove_tokens_of(
        &self,
        user: &UserId,
        statement: Statement<'static>,
    ) -> Result<Vec<HashedToken>, StoreError> {
        let user = user.clone();
        self.transaction(Touches::Tokens, |transaction| {
            Box::pin(async move {
                transaction.lock_user(&user).await?;
                statement.fetch_all(transaction).await?.iter().map(hashed_token).collect()
            })
        })
        .await
    }
}

impl<'store> Writing<'store> {
    const fn begin(store: &'store SqlStore, touches: Touches<'store>) -> Self {
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
            Touches::Everything => caches.forget_all(),
        }
        for topic in self.touches.topics() {
            changes.tell(*topic);
        }
    }
}

impl Caches {
    /// Returns caches that are used as long as a lease holds.
    pub(in crate::store) fn under(lease: Lease) -> Self {
        let lease = Arc::new(lease);
        Self { users: Cache::new(Arc::clone(&lease)), tokens: Cache::new(Arc::clone(&lease)), lease }
    }

    pub(super) fn forget_all(&self) {
        self.users.forget_all();
        self.tokens.forget_all();
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
        // PostgreSQL notifies when an abandoned write is committed after all.
        let writer @ Pool::Sqlite(_) = &self.store.database.writer else { return self.store.caches.forget_all() };
        let (caches, writer) = (Arc::clone(&self.store.caches), writer.clone());
        caches.users.suspend();
        caches.tokens.suspend();
        // Without a runtime, the caches stay suspended.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(resume_after(caches, writer));
        }
    }
}

/// Resumes the caches. The statement waits for the one writing connection, so the abandoned write has ended when it runs.
async fn resume_after(caches: Arc<Caches>, writer: Pool) {
    if query("SELECT 1").execute(&writer).await.is_ok() {
        caches.users.resume();
        caches.tokens.resume();
    }
}
