//! Mail: delivery to a mail server, and the queue while the server is unavailable.

mod mailers;
mod queue;
mod smtp;

use bolide::mail::{Mail, MailKind};

/// Returns a mail that contains a secret.
fn code_for(address: &str) -> Mail {
    Mail {
        to: vec![address.into()],
        subject: "Authentication code".into(),
        text: "Your code is 123-456".into(),
        html: Some("<p>Your code is <b>123-456</b></p>".into()),
        kind: MailKind::TwoFactorCode,
        expires_at: None,
    }
}
