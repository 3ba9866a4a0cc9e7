//! [`Codes`]: checks codes of every factor under one budget. A code is counted as wrong before it is checked.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::two_factor::TwoFactorMethod;
use serde_json::json;

use super::email::EmailCodes;
use super::gate::refusal;
use super::passkeys::{Action, PasskeyFactor};
use super::totp::AuthenticatorApps;
use crate::accounts::password::Password;
use crate::accounts::{
    Audit, Counted, CounterKey, Counters, Foundation, Ground, LONGEST_SECRET, Passwords, Proof, counted_address,
    waiting_as,
};
use crate::call::{Connection, MethodResult};
use crate::store::{AuditEvent, CodePurpose, CodeTry, FailureRule, User};
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

/// Counts codes and checks them.
pub(super) struct Codes {
    apps: Arc<AuthenticatorApps>,
    email: Arc<EmailCodes>,
    passkeys: Arc<PasskeyFactor>,
    passwords: Arc<Passwords>,
    counters: Arc<Counters>,
    audit: Arc<Audit>,
}

/// A code that is counted as wrong, for its user and its address, and may be checked.
#[must_use = "a code that is not checked stays counted as wrong"]
pub(super) struct CountedCode {
    user: Counted,
    address: Option<Counted>,
}

/// What is shown as a second factor, and for what.
#[derive(Clone, Copy)]
pub(super) struct ShownFactor<'call> {
    pub(super) method: TwoFactorMethod,
    /// The code, the password as its hash, or the assertion of a passkey.
    pub(super) code: &'call str,
    /// What a code by mail must have been requested for.
    pub(super) purpose: CodePurpose,
    /// What the challenge of a passkey must have been made for.
    pub(super) action: Action<'call>,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Right,
    /// `is_last` if no other code is checked until a block ends or another code is sent.
    Wrong {
        is_last: bool,
    },
}

impl Codes {
    pub(super) fn new(
        accounts: &Foundation,
        apps: &Arc<AuthenticatorApps>,
        email: &Arc<EmailCodes>,
        passkeys: &Arc<PasskeyFactor>,
    ) -> Self {
        Self {
            apps: Arc::clone(apps),
            email: Arc::clone(email),
            passkeys: Arc::clone(passkeys),
            passwords: Arc::clone(&accounts.passwords),
            counters: Arc::clone(&accounts.counters),
            audit: Arc::clone(&accounts.audit),
        }
    }

    /// Counts a code that is about to be checked. `None` if there were too many wrong ones for another one to be checked.
    ///
    /// # Errors
    /// `too-many-requests` if too many codes wait to be checked.
    pub(super) async fn begin(
        &self,
        user: &UserId,
        connection: Option<&Connection>,
    ) -> MethodResult<Option<CountedCode>> {
        let mut address = None;
        if let Some(connection) = connection {
            let key = CounterKey::factor_address(&counted_address(connection));
            let Some(counted) = self.counters.count(key, ADDRESS_RULE).await? else { return Ok(None) };
            address = Some(counted);
        }
        let Some(user) = self.counters.count(CounterKey::factor_user(user), USER_RULE).await? else {
            self.refund(address).await?;
            return Ok(None);
        };
        Ok(Some(CountedCode { user, address }))
    }

    /// Checks a code. A right one is used up, and the wrong codes of the user are forgotten.
    pub(super) async fn check(
        &self,
        counted: CountedCode,
        user: &User,
        ShownFactor { method, code, purpose, action }: ShownFactor<'_>,
        connection: Option<&Connection>,
    ) -> MethodResult<Checked> {
        let wrong = Checked::Wrong { is_last: counted.user.is_last() };
        let checked = match method {
            TwoFactorMethod::WebAuthn => {
                let is_right = self.passkeys.verify(user, code, action, connection).await;
                is_right.map(|is_right| right_or(is_right, wrong))
            }
            _ if code.len() > LONGEST_SECRET => Ok(wrong),
            TwoFactorMethod::Totp => self.apps.verify(user, code).await.map(|is_right| right_or(is_right, wrong)),
            TwoFactorMethod::Email => self.check_mailed(user, purpose, code, wrong).await,
            TwoFactorMethod::Password => match Password::from_digest(code) {
                Some(password) => {
                    let matches = self.passwords.matches(user, &password, waiting_as(connection)).await;
                    matches.map(|is_right| right_or(is_right, wrong))
                }
                None => Ok(wrong),
            },
        };
        match checked {
            Ok(Checked::Right) => {
                self.counters.succeed(counted.user).await?;
                self.refund(counted.address).await?;
            }
            Ok(Checked::Wrong { .. }) => {}
            // It was not checked.
            Err(_) => self.refund([counted.user].into_iter().chain(counted.address)).await?,
        }
        checked
    }

    async fn check_mailed(
        &self,
        user: &User,
        purpose: CodePurpose,
        code: &str,
        wrong: Checked,
    ) -> MethodResult<Checked> {
        Ok(match (self.email.take(&user.id, purpose, code).await?, wrong) {
            (CodeTry::Right, _) => Checked::Right,
            (CodeTry::Wrong { is_last: true }, _) => Checked::Wrong { is_last: true },
            (CodeTry::Wrong { is_last: false }, wrong) => wrong,
        })
    }

    async fn refund(&self, counted: impl IntoIterator<Item = Counted>) -> MethodResult<()> {
        for counted in counted {
            self.counters.refund(counted).await?;
        }
        Ok(())
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
        let shown = ShownFactor {
            method: TwoFactorMethod::Totp,
            code,
            purpose: CodePurpose::Call,
            action: Action { name: "", session: None },
        };
        let Some(counted) = self.begin(&user.id, connection).await? else {
            let details = json!({ "method": "totp", "codeGenerated": false, "availableMethods": ["totp"] });
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        };
        if self.check(counted, user, shown, connection).await? == Checked::Right {
            return Ok(Some(Proof::by(Ground::Shown)));
        }
        let details = json!({ "method": "totp" });
        self.audit.record(AuditEvent::TwoFactorFailed, Some(&user.id), connection, details).await;
        Ok(None)
    }
}

const fn right_or(is_right: bool, wrong: Checked) -> Checked {
    if is_right { Checked::Right } else { wrong }
}
