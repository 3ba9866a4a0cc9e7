//! What tests of an application need (feature `testing`).
//!
//! - [`SmtpSink`]: a mail server that stores the mails that it receives, and fails on demand.

mod mime;
mod smtp_sink;

pub use mime::ReceivedMail;
pub use smtp_sink::{SinkBehaviour, SmtpSink};
