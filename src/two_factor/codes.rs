//! [`Codes`]: checks codes of every factor under one budget, and counts wrong ones.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::two_factor::TwoFactorMethod;
use serde_json::json;

use super::email::EmailCodes;
use super::gate::refusal;
use super::totp::AuthenticatorApps;
use crate::accounts::password::Password;
use crate::accounts::{
    Audit, CounterKey, Counters, Foundation, Ground, KeyLock, LONGEST_SECRET, Passwords, Proof, Waiting,
    counted_address, waiting_as,
};
use crate::call::{Connection, MethodResult};
use crate::store::{AuditEvent, CodePurpose, FailureRule, User};
use crate::user::UserId;

/// Wrong codes of one user, for all factors and doors: ten, then a growing delay.
const USER_RULE: FailureRule = FailureRule {
    limit: 10,
    first_block: Duration::from_secs(30),
    longest_block: Duration::from_hours(12),
    forgotten_after: Duration::from_hours(24),
};

/// Wrong codes from one address.
const ADDRESS_RULE: FailureRule = FailureRule {
    limit: 100,
    first_block: Duration::from_mins(5),
    longest_block: Duration::from_hours(1),
    forgotten_after: Duration::from_hours(1),
};

/// Checks codes and counts wrong ones.
pub(super) struct Codes {
    apps: Arc<AuthenticatorApps>,
    email: Arc<EmailCodes>,
    passwords: Arc<Passwords>,
    counters: Arc<Counters>,
    audit: Arc<Audit>,
}

/// The budget of wrong codes of a user and an address, locked while a code is checked.
pub(super) struct Budget {
    user: CounterKey,
    address: Option<CounterKey>,
    network: Waiting,
    _one_at_a_time: KeyLock,
}

impl Codes {
    pub(super) fn new(accounts: &Foundation, apps: &Arc<AuthenticatorApps>, email: &Arc<EmailCodes>) -> Self {
        Self {
            apps: Arc::clone(apps),
            email: Arc::clone(email),
            passwords: Arc::clone(&accounts.passwords),
            counters: Arc::clone(&accounts.counters),
            audit: Arc::clone(&accounts.audit),
        }
    }

    /// Waits until no other code of the user is checked on this node.
    ///
    /// # Errors
    /// `too-many-requests` if too many codes wait to be checked.
    pub(super) async fn lock(&self, user: &UserId, connection: Option<&Connection>) -> MethodResult<Budget> {
        let key = CounterKey::factor_user(user);
        let one_at_a_time = self.counters.lock(&key, waiting_as(connection)).await?;
        let address = connection.map(|connection| CounterKey::factor_address(&counted_address(connection)));
        Ok(Budget { user: key, address, network: waiting_as(connection), _one_at_a_time: one_at_a_time })
    }

    /// Returns whether there were too many wrong codes for another one to be checked.
    pub(super) async fn is_used_up(&self, budget: &Budget) -> MethodResult<bool> {
        if self.counters.is_blocked(&budget.user).await? {
            return Ok(true);
        }
        match &budget.address {
            Some(key) => Ok(self.counters.is_blocked(key).await?),
            None => Ok(false),
        }
    }

    /// Checks a code. A right one is used up, and the wrong codes of the user are forgotten.
    pub(super) async fn check(
        &self,
        budget: &Budget,
        user: &User,
        (method, purpose): (TwoFactorMethod, CodePurpose),
        code: &str,
    ) -> MethodResult<bool> {
        let is_right = match method {
            _ if code.len() > LONGEST_SECRET => false,
            TwoFactorMethod::Totp => self.apps.verify(user, code).await?,
            TwoFactorMethod::Email => self.email.take(&user.id, purpose, code).await?,
            TwoFactorMethod::Password => match Password::from_digest(code) {
                Some(password) => self.passwords.matches(user, &password, budget.network).await?,
                None => false,
            },
        };
        if is_right {
            self.counters.forget(&budget.user).await?;
        }
        Ok(is_right)
    }

    /// Counts a wrong code, and returns whether it was the last one before a block.
    pub(super) async fn count_wrong(
        &self,
        budget: &Budget,
        user: &UserId,
        (method, purpose): (TwoFactorMethod, CodePurpose),
    ) -> MethodResult<bool> {
        if let Some(key) = &budget.address {
            self.counters.count(key, ADDRESS_RULE).await?;
        }
        let counted = self.counters.count(&budget.user, USER_RULE).await?;
        let mut is_last = counted.failures >= USER_RULE.limit;
        if method == TwoFactorMethod::Email {
            is_last |= self.email.count_wrong(user, purpose).await?;
        }
        Ok(is_last)
    }

    /// Checks a code of the authenticator app, for methods that take it as a parameter. `None` if it is wrong.
    ///
    /// # Errors
    /// `totp-max-attempts` after too many wrong codes.
    pub(super) async fn check_totp(
        &self,
        user: &User,
        code: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<Option<Proof>> {
        const FACTOR: (TwoFactorMethod, CodePurpose) = (TwoFactorMethod::Totp, CodePurpose::Call);
        let budget = self.lock(&user.id, connection).await?;
        if self.is_used_up(&budget).await? {
            let details = json!({ "method": "totp", "codeGenerated": false, "availableMethods": ["totp"] });
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        }
        if self.check(&budget, user, FACTOR, code).await? {
            return Ok(Some(Proof::by(Ground::Shown)));
        }
        let details = json!({ "method": "totp" });
        self.audit.record(AuditEvent::TwoFactorFailed, Some(&user.id), connection, details).await;
        self.count_wrong(&budget, &user.id, FACTOR).await?;
        Ok(None)
    }
}
