//! [`Counters`]: the one limiter of accounts. Failed logins, wrong codes and mails to a user are counted by it, in the
//! store, each under a [`CounterKey`] and with a [`FailureRule`].
//!
//! An attempt is counted as a failure before it is checked, and refunded if it is none: many parallel attempts, on all
//! nodes together, use exactly the budget, and no lock is held while a password is hashed.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::underway::{Underway, UnderwayAttempt};
use crate::call::{Connection, MethodResult};
use crate::clock::Clock;
use crate::store::{CountedAttempt, FailureRule, Store, StoreError, fold};
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
    underway: Arc<Underway>,
}

/// An attempt that is counted as a failure. Dropped, it stays one.
#[must_use = "an attempt that is not refunded stays counted as a failure"]
pub(crate) struct Counted {
    key: CounterKey,
    rule: FailureRule,
    attempt: CountedAttempt,
    underway: UnderwayAttempt,
}

impl Counted {
    /// Returns whether this was the last attempt before a block.
    pub(crate) const fn is_last(&self) -> bool {
        self.attempt.failures >= self.rule.limit
    }

    /// Returns whether no other attempt of its counter is undecided on this node.
    pub(crate) fn is_alone(&self) -> bool {
        self.underway.is_alone()
    }
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
}

impl Counters {
    /// `most_waiting` is the maximum number of attempts that wait for others of the same counter.
    pub(super) fn new(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, most_waiting: usize) -> Self {
        let underway = Arc::new(Underway::new(most_waiting));
        Self { store: Arc::clone(store), clock: Arc::clone(clock), underway }
    }

    /// Counts an attempt, which is checked afterwards. Returns `None` if the counter has reached its limit, for as long as
    /// the block lasts: the attempt must not be checked.
    ///
    /// # Errors
    /// `too-many-requests` if too many attempts wait for others that may be refunded.
    pub(crate) async fn count(&self, key: CounterKey, rule: FailureRule) -> MethodResult<Option<Counted>> {
        loop {
            let underway = self.underway.begin(&key.0);
            if let Some(attempt) = self.store.count_attempt(&key.0, rule, self.clock.now()).await? {
                return Ok(Some(Counted { key, rule, attempt, underway }));
            }
            if !underway.wait_for_refund().await? {
                return Ok(None);
            }
        }
    }

    /// Counts one more, and returns whether the counter had not reached its limit.
    pub(super) async fn take(&self, key: &CounterKey, rule: FailureRule) -> Result<bool, StoreError> {
        Ok(self.store.count_attempt(&key.0, rule, self.clock.now()).await?.is_some())
    }

    /// Takes back an attempt that was not a failure, or was not checked.
    pub(crate) async fn refund(&self, counted: Counted) -> Result<(), StoreError> {
        let Counted { key, rule, attempt, underway } = counted;
        self.store.refund_attempt(&key.0, attempt, rule).await?;
        underway.refunded();
        Ok(())
    }

    /// Sets the counter to zero.
    pub(crate) async fn forget(&self, key: &CounterKey) -> Result<(), StoreError> {
        self.store.forget_failures(&key.0).await?;
        self.underway.forgotten(&key.0);
        Ok(())
    }

    /// Sets the counter of a successful attempt to zero.
    pub(crate) async fn succeed(&self, counted: Counted) -> Result<(), StoreError> {
        self.forget(&counted.key).await
    }
}

/// Returns the name under which failures from a connection are counted. All clients whose address is unknown, since they
/// came through more or fewer proxies than were announced, share a counter.
pub(crate) fn counted_address(connection: &Connection) -> String {
    connection.peer().network().map_or_else(|| "unknown".to_owned(), |network| network.to_string())
}
