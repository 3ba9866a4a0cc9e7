//! [`Counters`]: the one limiter of accounts. Failed logins, wrong codes and mails to a user are counted by it, in the
//! store, each under a [`CounterKey`] and with a [`FailureRule`].

use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::locks::{KeyLock, KeyedLocks};
use super::turns::{Busy, LineBounds, Waiting};
use crate::call::Connection;
use crate::clock::Clock;
use crate::store::{Attempts, FailureRule, Store, StoreError, fold};
use crate::user::UserId;

/// The maximum number of characters of a name in a key.
const LONGEST_NAME: usize = 100;

/// The name of a counter. Keys are stored, so their texts never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CounterKey(String);

/// Counts what may happen only so often.
pub(crate) struct Counters {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    locks: KeyedLocks,
}

impl CounterKey {
    /// Failed logins under a name or address, as the client typed it. It is hashed, because users type their password there.
    pub(super) fn login_name(name: &str) -> Self {
        let start: String = name.chars().take(LONGEST_NAME).collect();
        let folded: String = fold(&start).chars().take(LONGEST_NAME).collect();
        Self(format!("login:name:{}", HEXLOWER.encode(&Sha256::digest(folded))))
    }

    /// Failed logins of a user, under all names.
    pub(super) fn login_user(user: &UserId) -> Self {
        Self(format!("login:user:{user}"))
    }

    /// Failed logins under a name that no user has.
    pub(super) fn login_unknown(name: &str) -> Self {
        Self(format!("login:nobody:{}", Self::login_name(name).0))
    }

    /// Failed logins from an address; see [`counted_address`].
    pub(super) fn login_address(address: &str) -> Self {
        Self(format!("login:address:{address}"))
    }

    /// Wrong codes of a user.
    pub(crate) fn factor_user(user: &UserId) -> Self {
        Self(format!("factor:user:{user}"))
    }

    /// Wrong codes from an address; see [`counted_address`].
    pub(crate) fn factor_address(address: &str) -> Self {
        Self(format!("factor:address:{address}"))
    }

    /// Wrong codes at a challenge, which is named by its hash.
    pub(crate) fn challenge(hash: &str) -> Self {
        Self(format!("challenge:{hash}"))
    }

    /// Mails that a user has requested.
    pub(super) fn mails_by_user(user: &UserId) -> Self {
        Self(format!("mail:user:{user}"))
    }

    /// Codes to a user that any client has requested.
    pub(super) fn codes_by_anyone(user: &UserId) -> Self {
        Self(format!("mail:anybody:{user}"))
    }

    /// Mails that tell a user of changes.
    pub(super) fn mails_about_changes(user: &UserId) -> Self {
        Self(format!("mail:changes:{user}"))
    }

    /// Mails that tell a user of logins.
    pub(super) fn mails_about_logins(user: &UserId) -> Self {
        Self(format!("mail:logins:{user}"))
    }

    /// Links to a user that any client has requested.
    pub(super) fn links_by_anyone(user: &UserId) -> Self {
        Self(format!("mail:link:{user}"))
    }

    /// Returns a key for a lock that only a part of what this counter counts takes.
    pub(super) fn part(&self, number: u8) -> Self {
        Self(format!("{}:{number}", self.0))
    }
}

impl Counters {
    /// `bounds` are those of the line before each lock.
    pub(super) fn new(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, bounds: LineBounds) -> Self {
        Self { store: Arc::clone(store), clock: Arc::clone(clock), locks: KeyedLocks::new(bounds) }
    }

    /// Returns whether the counter has reached its limit, for as long as the block lasts.
    pub(crate) async fn is_blocked(&self, key: &CounterKey) -> Result<bool, StoreError> {
        Ok(self.store.attempts(&key.0).await?.is_blocked(self.clock.now()))
    }

    /// Counts one more, and returns the count.
    pub(crate) async fn count(&self, key: &CounterKey, rule: FailureRule) -> Result<Attempts, StoreError> {
        self.store.count_failure(&key.0, rule, self.clock.now()).await
    }

    /// Sets the counter to zero.
    pub(crate) async fn forget(&self, key: &CounterKey) -> Result<(), StoreError> {
        self.store.forget_failures(&key.0).await
    }

    /// Waits for the lock of a counter, so that on this node nothing is counted between a look at the counter and the
    /// count that follows.
    ///
    /// # Errors
    /// [`Busy`] if too many wait for it already.
    pub(crate) async fn lock(&self, key: &CounterKey, network: Waiting) -> Result<KeyLock, Busy> {
        self.locks.lock(&key.0, network).await
    }
}

/// Returns the name under which failures from a connection are counted. All clients whose address is unknown, since they
/// came through more or fewer proxies than were announced, share a counter.
pub(crate) fn counted_address(connection: &Connection) -> String {
    connection.peer().network().map_or_else(|| "unknown".to_owned(), |network| network.to_string())
}
