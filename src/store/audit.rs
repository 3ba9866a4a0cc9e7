//! The audit log: who did what, when and from where. It holds no secrets.

use std::fmt;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;
use crate::user::UserId;

/// Declares [`AuditEvent`] with the name of each event beside its variant, so that no list of them can miss one.
macro_rules! audit_events {
    ($($(#[$documentation:meta])+ $event:ident = $name:literal,)+) => {
        /// What an entry of the audit log records.
        ///
        /// The names are stored and shown, and admins filter by how they begin: a name is never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AuditEvent {
            $($(#[$documentation])+ $event,)+
        }

        impl AuditEvent {
            /// All events.
            pub const ALL: &[Self] = &[$(Self::$event,)+];

            /// Returns the name under which the event is stored, such as `login.failed`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)+
                }
            }
        }
    };
}

audit_events! {
    /// A user logged in.
    LoginSucceeded = "login.succeeded",
    /// A login failed because of a wrong password, an unknown user or an invalid token.
    LoginFailed = "login.failed",
    /// A login was rejected because too many before it had failed.
    LoginBlocked = "login.blocked",
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
    /// A user has verified an e-mail address.
    EmailVerified = "email.verified",
    /// The password of a user was changed.
    PasswordChanged = "password.changed",
    /// A link to reset the password of a user was requested.
    PasswordResetRequested = "password.reset-requested",

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

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number, given by the store; later ones are larger.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What, such as `two-factor.failed`.
    pub event: String,
    /// Whom it concerns.
    pub user: Option<UserId>,
    /// Who did it, if it was somebody else.
    pub actor: Option<UserId>,
    /// From which address.
    pub address: Option<String>,
    /// By which client.
    pub user_agent: Option<String>,
    /// More of it, as a JSON object.
    pub details: String,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
// Not `non_exhaustive`: it is written with `..AuditFilter::default()`.
pub struct AuditFilter {
    /// Only those that concern this user.
    pub user: Option<UserId>,
    /// Only those whose event begins with this.
    pub event: Option<String>,
    /// Only those with smaller numbers.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: u32,
}

/// The audit log of a store.
pub trait Audit: Private {
    /// Adds entries; their numbers are given by the store.
    fn record(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()>;

    /// The latest entries that a filter lets through, the latest first.
    fn audit(&self, filter: AuditFilter) -> StoreFuture<'_, Vec<AuditEntry>>;

    /// Removes entries from before `before`; gives how many.
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
        }
    }
}

impl AuditEvent {
    /// Returns the event with this name, or `None` if there is no such event.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
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
