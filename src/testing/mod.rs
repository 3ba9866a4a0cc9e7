//! What tests of an application need (feature `testing`).
//!
//! - [`TestClient`]: a client in the same process, which speaks DDP with an [`App`](crate::App);
//! - [`SmtpSink`]: a mail server that stores the mails that it receives, and fails on demand;
//! - [`PasskeyAuthenticator`]: a software authenticator with passkeys.

mod client;
mod documents;
mod mime;
mod passkey;
mod smtp_sink;

pub use client::{CutClient, SubscriptionId, TestClient};
pub use mime::ReceivedMail;
pub use passkey::PasskeyAuthenticator;
pub use smtp_sink::{SinkBehaviour, SmtpSink};
