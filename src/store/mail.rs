//! [`Mail`]: one mail, ready to be sent.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;

/// One mail. Its texts hold codes and links that are secrets, so that `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The addresses that it goes to, such as `alice@example.com`.
    pub to: Vec<String>,
    /// The subject; never a secret.
    pub subject: String,
    /// The mail as plain text.
    pub text: String,
    /// The same as HTML, for the programs that show it.
    pub html: Option<String>,
    /// What it is for.
    pub kind: MailKind,
    /// When it is of no more use, such as a code that has expired. It is not sent any more then.
    pub expires_at: Option<Timestamp>,
}

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MailKind {
    /// A link with which users choose a new password.
    ResetPassword,
    /// A link with which users whom somebody else has created choose their first password.
    EnrollAccount,
    /// A link with which users prove that a mail address is theirs.
    VerifyEmail,
    /// The code of the second factor.
    TwoFactorCode,
    /// Word that somebody has switched off the user's second factor.
    TotpReset,
    /// What operators send to see whether mail works.
    Test,
}

/// A name that is no kind of mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of mail")]
pub struct UnknownMailKind(String);

impl Mail {
    /// Returns a mail of plain text, which does not expire; the rest is set through its fields.
    #[must_use]
    pub fn new(to: Vec<String>, kind: MailKind, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to, subject: subject.into(), text: text.into(), html: None, kind, expires_at: None }
    }
}

impl MailKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::ResetPassword, Self::EnrollAccount, Self::VerifyEmail, Self::TwoFactorCode, Self::TotpReset, Self::Test];

    /// The name under which it is stored and logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::EnrollAccount => "enroll-account",
            Self::VerifyEmail => "verify-email",
            Self::TwoFactorCode => "two-factor-code",
            Self::TotpReset => "totp-reset",
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
    fn debug_shows_no_text() {
        let mail = Mail {
            to: vec!["alice@example.com".into()],
            subject: "Authentication code".into(),
            text: "123-456".into(),
            html: Some("<b>123-456</b>".into()),
            kind: MailKind::TwoFactorCode,
            expires_at: None,
        };

        assert!(!format!("{mail:?}").contains("123"));
    }
}
