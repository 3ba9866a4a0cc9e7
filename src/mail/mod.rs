//! The mails that a server sends to its users.
//!
//! A login must not wait for a mail server, nor fail because of one: a mail is stored first, and a worker sends it in the
//! background. Failed deliveries are retried for about a day.
//!
//! - [`Templates`] renders a [`Mail`] from its [`MailContent`];
//! - [`MailQueue`] seals it ([`MailSeal`]), stores it in [`Outgoing`] and sends the mails that are due;
//! - a [`Mailer`] delivers it: [`SmtpMailer`], or for development [`FileMailer`], [`LogMailer`] and [`MemoryMailer`].

mod address;
mod compose;
mod content;
mod file;
mod header;
mod log;
mod mailer;
mod memory;
mod memory_outgoing;
mod queue;
mod retry;
mod seal;
mod sender;
mod smtp;
mod smtp_url;
mod strangers;
mod templates;
mod worker;

pub use crate::store::mail::{Mail, MailKind, SealedMail, UnknownMailKind};
pub use crate::store::outgoing::{MailId, MailState, NextAttempt, Outgoing, OutgoingMail, QueuedMail};
pub(crate) use address::is_deliverable;
pub use content::MailContent;
pub use file::FileMailer;
pub use header::{MailHeader, MailHeaderError};
pub use log::{LogMailer, LoggedText};
pub use mailer::{Delivery, MailError, Mailer};
pub use memory::MemoryMailer;
pub use memory_outgoing::MemoryOutgoing;
pub use queue::{EnqueueError, MailQueue};
pub use seal::MailSeal;
pub use sender::{Sender, SenderError};
pub use smtp::SmtpMailer;
pub use smtp_url::SmtpUrlError;
pub use templates::{Site, TemplateError, Templates};
