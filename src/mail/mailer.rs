//! [`Mailer`]: what delivers mail.

use std::pin::Pin;

use super::Mail;

/// Delivers mail. An application can bring its own, for a service that takes mail over HTTP.
pub trait Mailer: Send + Sync + 'static {
    /// Hands the mail over to what takes it from there. It is called again later after [`MailError::Temporary`].
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail>;
}

/// The future of a delivery.
pub type Delivery<'mail> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'mail>>;

/// Why a mail was not taken. The reason is logged and shown to operators: it must hold nothing of the mail's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// It will never be taken: there is no such address, say.
    #[error("{0}")]
    Permanent(String),
    /// It may be taken later.
    #[error("{0}")]
    Temporary(String),
}
