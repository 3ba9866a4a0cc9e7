//! [`Mail`]: a mail that is ready to be sent.

use std::fmt;
use std::str::FromStr;

use super::user::Sealed;
use crate::clock::Timestamp;

/// A mail. Its text contains secret codes and links, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The addresses of the recipients, such as `alice@example.com`.
    pub to: Vec<String>,
    /// The sender, such as `Example <no-reply@example.com>`. `None` for the sender of the mailer.
    pub from: Option<String>,
    /// Headers in addition to those that the mailer writes: names and values.
    pub headers: Vec<(String, String)>,
    /// The subject. It must not contain secrets.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML, for mail clients that show it.
    pub html: Option<String>,
    /// What the mail is for.
    pub kind: MailKind,
    /// When the mail becomes useless, for example because its code expires. It is not sent after that.
    pub expires_at: Option<Timestamp>,
}

/// A mail whose text is sealed with a key that is not in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedMail {
    /// The addresses of the recipients.
    pub to: Vec<String>,
    /// The subject, which contains no secrets.
    pub subject: String,
    /// The sealed text and HTML.
    pub body: Sealed,
    /// What the mail is for.
    pub kind: MailKind,
    /// When the mail becomes useless.
    pub expires_at: Option<Timestamp>,
}

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MailKind {
    /// A link to choose a new password.
    ResetPassword,
    /// A link to choose the first password, for users who were created by someone else.
    EnrollAccount,
    /// A link to verify an e-mail address.
    VerifyEmail,
    /// A code for the second factor.
    TwoFactorCode,
    /// A notice that the user's second factor was removed.
    TotpReset,
    /// A notice of a change of what protects the account, or of a login by a new client.
    SecurityNotice,
    /// A test by an operator.
    Test,
}

/// A name that is not a kind of mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of mail")]
pub struct UnknownMailKind(String);

impl Mail {
    /// Returns a mail of plain text, which does not expire; the rest is set through its fields.
    #[must_use]
    pub fn new(to: Vec<String>, kind: MailKind, subject: impl Into<String>, text: impl Into<String>) -> Self {
        let (subject, text) = (subject.into(), text.into());
        Self { to, from: None, headers: Vec::new(), subject, text, html: None, kind, expires_at: None }
    }
}

impl MailKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::ResetPassword,
        Self::EnrollAccount,
        Self::VerifyEmail,
        Self::TwoFactorCode,
        Self::TotpReset,
        Self::SecurityNotice,
        Self::Test,
    ];

    /// Returns the name under which the kind is stored and logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::EnrollAccount => "enroll-account",
            Self::VerifyEmail => "verify-email",
            Self::TwoFactorCode => "two-factor-code",
            Self::TotpReset => "totp-reset",
            Self::SecurityNotice => "security-notice",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for MailKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for MailKind {
    type Err = UnknownMailKind;

    fn from_str(name: &str) -> Result<Self, UnknownMailKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| UnknownMailKind(name.to_owned()))
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = formatter.debug_struct("Mail");
        fields.field("to", &self.to).field("subject", &self.subject).field("kind", &self.kind);
        fields.field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mail, MailKind};

    #[test]
    fn a_kind_is_read_back_from_its_name() {
        for kind in MailKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("newsletter".parse::<MailKind>().is_err());
    }

    #[test]
    fn debug_does_not_show_the_text() {
        let mut mail = Mail::new(vec!["alice@example.com".into()], MailKind::TwoFactorCode, "A code", "123-456");
        mail.html = Some("<b>123-456</b>".into());

        assert!(!format!("{mail:?}").contains("123"));
    }
}
