//! [`Mailer`]: delivers mails.

use std::pin::Pin;

use super::Mail;

/// Delivers mails. An application can implement it, for example for a mail service with an HTTP API.
pub trait Mailer: Send + Sync + 'static {
    /// Delivers a mail to the mail server or service. It is retried later if it fails with [`MailError::Temporary`], and if it
    /// takes longer than a minute.
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail>;
}

/// The future that [`Mailer::deliver`] returns.
pub type Delivery<'mail> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'mail>>;

/// Why a mail was not delivered. The reason is logged and shown to operators, so it must not contain the text of the mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// Another attempt would fail too, for example because the address does not exist.
    #[error("{0}")]
    Permanent(String),
    /// Another attempt may succeed.
    #[error("{0}")]
    Temporary(String),
}
