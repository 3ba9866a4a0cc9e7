//! [`MailContent`]: the values from which a template renders a mail.

use std::fmt;
use std::time::Duration;

use minijinja::{Value, context};

use super::MailKind;
use super::strangers::{addressee, program};

/// The values from which a template renders a mail. Codes and links are secrets, so `Debug` shows only the kind.
///
/// The fields are the variables of the template. What strangers choose is not shown as it is: a `name` that could be read as
/// a sentence or a link is `there` in the mail.
#[derive(Clone)]
#[non_exhaustive]
pub enum MailContent {
    /// A link to choose a new password.
    ResetPassword {
        /// The name by which the mail addresses the user.
        name: String,
        /// The complete URL.
        link: String,
    },
    /// A link to choose the first password, for users who were created by someone else.
    EnrollAccount {
        /// The name by which the mail addresses the user.
        name: String,
        /// The complete URL.
        link: String,
    },
    /// A link to verify an e-mail address.
    VerifyEmail {
        /// The name by which the mail addresses the user.
        name: String,
        /// The complete URL.
        link: String,
    },
    /// A code for the second factor.
    TwoFactorCode {
        /// The name by which the mail addresses the user.
        name: String,
        /// The code, such as `123456`. Templates see it in two groups, `123-456`.
        code: String,
        /// The action that needs the code: the name of a method, or a login.
        action: String,
        /// The user agent of the client that requested the code. Templates see the names of its browser and its system from a
        /// short list, such as `Firefox on Linux`, or `unknown`.
        client: String,
        /// The network address of the client that requested the code.
        address: String,
        /// How long the code is valid. Templates see `minutes`, rounded up.
        valid_for: Duration,
    },
    /// A notice that the user's second factor was removed.
    TotpReset {
        /// The name by which the mail addresses the user.
        name: String,
    },
    /// A notice of a change of what protects the account, or of a login by a new client.
    SecurityNotice {
        /// The name by which the mail addresses the user.
        name: String,
        /// The name of the event, such as `password.changed`: an event of the audit log, or `login.new-client`.
        event: String,
        /// The event as an English sentence without a full stop.
        what: String,
        /// The user agent of the client.
        client: String,
        /// The network address of the client.
        address: String,
    },
    /// A test by an operator.
    Test,
}

impl MailContent {
    /// Returns the kind of the mail.
    #[must_use]
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::ResetPassword { .. } => MailKind::ResetPassword,
            Self::EnrollAccount { .. } => MailKind::EnrollAccount,
            Self::VerifyEmail { .. } => MailKind::VerifyEmail,
            Self::TwoFactorCode { .. } => MailKind::TwoFactorCode,
            Self::TotpReset { .. } => MailKind::TotpReset,
            Self::SecurityNotice { .. } => MailKind::SecurityNotice,
            Self::Test => MailKind::Test,
        }
    }

    /// Returns the variables of the template.
    pub(super) fn values(&self) -> Value {
        match self {
            Self::ResetPassword { name, link }
            | Self::EnrollAccount { name, link }
            | Self::VerifyEmail { name, link } => {
                context! { name => addressee(name), link }
            }
            Self::TwoFactorCode { name, code, action, client, address, valid_for } => {
                let (code, minutes) = (in_two_groups(code), valid_for.as_secs().div_ceil(60));
                let (name, client) = (addressee(name), program(client));
                context! { name, code, action, client, address, minutes }
            }
            Self::TotpReset { name } => context! { name => addressee(name) },
            Self::SecurityNotice { name, event, what, client, address } => {
                let (name, client) = (addressee(name), program(client));
                context! { name, event, what, client, address }
            }
            Self::Test => context! {},
        }
    }

    /// Returns sample values, to test a template with.
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
                client: "Firefox on Linux".to_owned(),
                address: "192.0.2.1".to_owned(),
                valid_for: Duration::from_hours(1),
            },
            MailKind::TotpReset => Self::TotpReset { name },
            MailKind::SecurityNotice => Self::SecurityNotice {
                name,
                event: "password.changed".to_owned(),
                what: "The password was changed".to_owned(),
                client: "Firefox".to_owned(),
                address: "192.0.2.1".to_owned(),
            },
            MailKind::Test => Self::Test,
        }
    }
}

impl fmt::Debug for MailContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("MailContent").field(&self.kind()).finish()
    }
}

/// Returns a code of six digits in two groups, which are easier to read.
fn in_two_groups(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((first, second)) if code.len() == 6 => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}
