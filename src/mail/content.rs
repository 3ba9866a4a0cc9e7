//! [`MailContent`]: what a mail is to say, before a template puts it into words.

use std::fmt;
use std::time::Duration;

use minijinja::{Value, context};

use super::MailKind;

/// What a mail is to say. Codes and links in it are secrets, so that `Debug` shows only the kind.
///
/// Templates see the fields under their own names.
#[derive(Clone)]
#[non_exhaustive]
pub enum MailContent {
    /// A link with which users choose a new password.
    ResetPassword {
        /// How the user is addressed.
        name: String,
        /// The whole link.
        link: String,
    },
    /// A link with which users whom somebody else has created choose their first password.
    EnrollAccount {
        /// How the user is addressed.
        name: String,
        /// The whole link.
        link: String,
    },
    /// A link with which users prove that a mail address is theirs.
    VerifyEmail {
        /// How the user is addressed.
        name: String,
        /// The whole link.
        link: String,
    },
    /// The code of the second factor.
    TwoFactorCode {
        /// How the user is addressed.
        name: String,
        /// The code as it was drawn, `123456`. Templates see it as it is shown, `123-456`.
        code: String,
        /// What asked for the code: the name of a method, or that somebody logs in.
        action: String,
        /// The program that asked, as its user agent says.
        client: String,
        /// The network address that asked.
        address: String,
        /// For how long the code can be used. Templates see `minutes`.
        valid_for: Duration,
    },
    /// Word that somebody has switched off the user's second factor.
    TotpReset {
        /// How the user is addressed.
        name: String,
    },
    /// What operators send to see whether mail works.
    Test,
}

impl MailContent {
    /// The kind of mail that says this.
    #[must_use]
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::ResetPassword { .. } => MailKind::ResetPassword,
            Self::EnrollAccount { .. } => MailKind::EnrollAccount,
            Self::VerifyEmail { .. } => MailKind::VerifyEmail,
            Self::TwoFactorCode { .. } => MailKind::TwoFactorCode,
            Self::TotpReset { .. } => MailKind::TotpReset,
            Self::Test => MailKind::Test,
        }
    }

    /// The fields as templates see them.
    pub(super) fn values(&self) -> Value {
        match self {
            Self::ResetPassword { name, link }
            | Self::EnrollAccount { name, link }
            | Self::VerifyEmail { name, link } => {
                context! { name, link }
            }
            Self::TwoFactorCode { name, code, action, client, address, valid_for } => {
                let (code, minutes) = (in_two_groups(code), valid_for.as_secs().div_ceil(60));
                context! { name, code, action, client, address, minutes }
            }
            Self::TotpReset { name } => context! { name },
            Self::Test => context! {},
        }
    }

    /// Something to try a template with.
    pub(super) fn sample(kind: MailKind) -> Self {
        let name = "alice".to_owned();
        let link = "https://chat.example.com/a-link".to_owned();
        match kind {
            MailKind::ResetPassword => Self::ResetPassword { name, link },
            MailKind::EnrollAccount => Self::EnrollAccount { name, link },
            MailKind::VerifyEmail => Self::VerifyEmail { name, link },
            MailKind::TwoFactorCode => Self::TwoFactorCode {
                name,
                code: "123456".to_owned(),
                action: "login".to_owned(),
                client: "Firefox".to_owned(),
                address: "192.0.2.1".to_owned(),
                valid_for: Duration::from_hours(1),
            },
            MailKind::TotpReset => Self::TotpReset { name },
            MailKind::Test => Self::Test,
        }
    }
}

impl fmt::Debug for MailContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("MailContent").field(&self.kind()).finish()
    }
}

/// People read six digits more easily in two groups.
fn in_two_groups(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((first, second)) if code.len() == 6 => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}
