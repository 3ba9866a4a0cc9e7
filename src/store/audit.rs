//! The audit log: who did what, when and from where. It holds no secrets.

use std::fmt;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;
use crate::named::named;
use crate::user::UserId;

named! {
    /// What an entry of the audit log records.
    ///
    /// The names, such as `login.failed`, are stored and shown, and admins filter by how they begin: a name is never changed.
    #[non_exhaustive]
    pub enum AuditEvent {
        /// A user logged in.
        LoginSucceeded = "login.succeeded",
        /// A login failed because of a wrong password, an unknown user or an invalid token.
        LoginFailed = "login.failed",
        /// A login was rejected because too many before it had failed.
        LoginBlocked = "login.blocked",
        /// An admin or operator has lifted the blocks of a user.
        BlocksLifted = "login.unblocked",
        /// A login with the right credentials was rejected by a hook of the application.
        LoginRefused = "login.refused",
        /// A login has shown its first factor and was asked for the second.
        LoginChallenged = "login.challenged",
        /// A user logged out.
        Logout = "logout",
        /// Login tokens of a user were revoked.
        SessionsRevoked = "sessions.revoked",

        /// A call was asked for a second factor.
        TwoFactorAsked = "two-factor.asked",
        /// A second factor was accepted.
        TwoFactorPassed = "two-factor.passed",
        /// A wrong second factor was sent.
        TwoFactorFailed = "two-factor.failed",
        /// A second factor was not checked because too many before it were wrong.
        TwoFactorBlocked = "two-factor.blocked",
        /// A user has set up an authenticator app.
        TotpEnabled = "totp.enabled",
        /// A user has removed the authenticator app.
        TotpDisabled = "totp.disabled",
        /// The authenticator app of a user was removed through `resetTOTP`, which also revokes all tokens of the user.
        TotpReset = "totp.reset",
        /// A user has replaced the backup codes.
        TotpCodesRegenerated = "totp.codes-regenerated",
        /// A user has registered a passkey.
        PasskeyAdded = "passkey.added",
        /// A user has renamed a passkey.
        PasskeyRenamed = "passkey.renamed",
        /// A user has removed a passkey.
        PasskeyRemoved = "passkey.removed",
        /// A passkey was refused because its counter went back: there may be a copy of the authenticator.
        PasskeyCloned = "passkey.cloned",
        /// A user has turned on codes by e-mail.
        EmailCodesEnabled = "email-codes.enabled",
        /// A user has turned off codes by e-mail.
        EmailCodesDisabled = "email-codes.disabled",
        /// All second factors of a user were removed because the user has lost them, and all tokens were revoked.
        SecondFactorsReset = "second-factors.reset",

        /// A user was created.
        UserCreated = "user.created",
        /// A user was imported from another server.
        UserImported = "user.imported",
        /// An operator has activated a user.
        UserActivated = "user.activated",
        /// An operator has deactivated a user.
        UserDeactivated = "user.deactivated",
        /// An admin has activated or deactivated a user.
        UserActiveChanged = "user.active-changed",
        /// The roles of a user were changed.
        UserRolesChanged = "user.roles-changed",
        /// A user was removed.
        UserRemoved = "user.removed",
        /// The e-mail address of a user was changed.
        EmailChanged = "email.changed",
        /// The username was changed.
        UsernameChanged = "username.changed",
        /// A user has verified an e-mail address.
        EmailVerified = "email.verified",
        /// The password of a user was changed.
        PasswordChanged = "password.changed",
        /// A link to reset the password of a user was requested.
        PasswordResetRequested = "password.reset-requested",
        /// The application or an operator has sent a user a link, to choose a password or to verify an address.
        LinkSent = "link.sent",

        /// A personal access token was created.
        TokenCreated = "token.created",
        /// A personal access token was replaced by a new one of the same name.
        TokenRegenerated = "token.regenerated",
        /// A personal access token was removed.
        TokenRemoved = "token.removed",

        /// A setting was changed.
        SettingChanged = "setting.changed",
        /// An admin has sent a queued mail again.
        MailRetried = "mail.retried",
        /// An admin has deleted a queued mail.
        MailDiscarded = "mail.discarded",
        /// The secrets in the store were sealed with another key.
        KeysRotated = "keys.rotated",
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The number of the entry, assigned by the store. Later entries have larger numbers.
    pub id: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The name of the audit event, such as `two-factor.failed`; see [`AuditEvent`].
    pub event: String,
    /// The user that it is about.
    pub user: Option<UserId>,
    /// The user who caused it, if that is another one.
    pub actor: Option<UserId>,
    /// The network address of the client.
    pub address: Option<String>,
    /// The user agent of the client.
    pub user_agent: Option<String>,
    /// Further details, as a JSON object.
    pub details: String,
    /// The number of equal events that this entry stands for.
    pub count: u32,
    /// Entries that are recorded with the same key become one, with the sum of their counts. `None` for an entry of its own,
    /// and for one that was read.
    pub merge_key: Option<String>,
}

/// Selects the entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
// Not `non_exhaustive`: it is written with `..AuditFilter::default()`.
pub struct AuditFilter {
    /// Only entries about this user.
    pub user: Option<UserId>,
    /// Only entries whose event name starts with this.
    pub event: Option<String>,
    /// Only entries with a smaller number than this.
    pub before: Option<i64>,
    /// The maximum number of entries.
    pub limit: u32,
}

/// The audit log of a store.
pub trait Audit: Private {
    /// Adds entries, and deletes the oldest if there are more than about `most`. The numbers of the entries are assigned by
    /// the store.
    fn record(&self, entries: Vec<AuditEntry>, most: u32) -> StoreFuture<'_, ()>;

    /// Returns the latest entries that match the filter, the latest first.
    fn audit(&self, filter: AuditFilter) -> StoreFuture<'_, Vec<AuditEntry>>;

    /// Deletes the entries recorded before `before`, and returns their number.
    fn delete_audit(&self, before: Timestamp) -> StoreFuture<'_, u64>;
}

impl AuditEntry {
    /// Returns an entry that has only a time and the name of its event; the rest is set through its fields.
    #[must_use]
    pub fn new(at: Timestamp, event: impl Into<String>) -> Self {
        Self {
            id: 0,
            at,
            event: event.into(),
            user: None,
            actor: None,
            address: None,
            user_agent: None,
            details: "{}".to_owned(),
            count: 1,
            merge_key: None,
        }
    }
}

impl AuditEvent {
    /// Returns the event with this name, or `None` if there is no such event.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
    }

    /// Returns whether a client can cause any number of these events without being let in: equal ones of a network in a
    /// minute are recorded as one entry with a count.
    pub(crate) const fn is_merged(self) -> bool {
        matches!(
            self,
            Self::LoginFailed
                | Self::LoginBlocked
                | Self::LoginRefused
                | Self::TwoFactorAsked
                | Self::TwoFactorFailed
                | Self::TwoFactorBlocked
                | Self::PasswordResetRequested
        )
    }
}

impl fmt::Display for AuditEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::AuditEvent;

    #[test]
    fn an_event_is_read_back_from_its_name() {
        for event in AuditEvent::ALL {
            assert_eq!(AuditEvent::parse(event.as_str()), Some(*event));
        }
        assert_eq!(AuditEvent::parse("login"), None);
    }
}
