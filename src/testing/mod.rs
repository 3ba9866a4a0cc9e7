//! What tests of an application need beside it (feature `testing`).
//!
//! - [`SmtpSink`]: a mail server that keeps what it is given, and fails when told to.

mod mime;
mod smtp_sink;

pub use mime::ReceivedMail;
pub use smtp_sink::{SinkBehaviour, SmtpSink};
