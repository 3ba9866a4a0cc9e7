//! [`LogMailer`]: writes mail into the log, for development.

use futures::future::{FutureExt as _, ready};

use super::{Delivery, Mail, Mailer};

/// Writes each mail into the log and sends none.
#[derive(Clone, Copy, Debug)]
pub struct LogMailer {
    text: LoggedText,
}

/// Whether the text of a mail is logged. It holds codes and links: whoever reads the log can sign in with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoggedText {
    /// The log says that there is a mail, and to whom.
    Withheld,
    /// The log holds the whole text. For development alone.
    Shown,
}

impl LogMailer {
    /// Writes mails into the log, with or without their text.
    #[must_use]
    pub const fn new(text: LoggedText) -> Self {
        Self { text }
    }
}

impl Mailer for LogMailer {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        let (to, subject) = (mail.to.join(", "), &mail.subject);
        match self.text {
            LoggedText::Withheld => tracing::info!(to, subject, "a mail was not sent, but logged without its text"),
            LoggedText::Shown => tracing::info!(to, subject, "a mail was not sent, but logged:\n{}", mail.text),
        }
        ready(Ok(())).boxed()
    }
}
