//! Mail: how it reaches a mail server, and what becomes of it when there is none.

mod mailers;
mod queue;
mod smtp;

use bolide::mail::{Mail, MailKind};

/// A mail with a secret in it.
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
