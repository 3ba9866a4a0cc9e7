//! [`LogMailer`]: writes mails to the log, for development.

use futures::future::{FutureExt as _, ready};

use super::{Delivery, Mail, Mailer};

/// Writes each mail to the log and does not send it.
#[derive(Clone, Copy, Debug)]
pub struct LogMailer {
    text: LoggedText,
}

/// Whether the text of mails is logged. It contains codes and links with which a reader of the log can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoggedText {
    /// Only the recipients and the subject are logged.
    Withheld,
    /// The text is logged as well. For development only.
    Shown,
}

impl LogMailer {
    /// Returns a mailer that logs mails with or without their text.
    #[must_use]
    pub const fn new(text: LoggedText) -> Self {
        Self { text }
    }
}

impl Mailer for LogMailer {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        let (to, subject) = (mail.to.join(", "), &mail.subject);
        match self.text {
            LoggedText::Withheld => tracing::info!(to, subject, "a mail was logged without its text and not sent"),
            LoggedText::Shown => tracing::info!(to, subject, "a mail was logged and not sent:\n{}", mail.text),
        }
        ready(Ok(())).boxed()
    }
}
