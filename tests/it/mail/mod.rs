//! Mail: delivery to a mail server, and the queue while the server is unavailable.

mod mailers;
mod queue;
mod smtp;

use bolide::mail::{Mail, MailKind};

/// Returns a mail that contains a secret.
fn code_for(address: &str) -> Mail {
    let kind = MailKind::TwoFactorCode;
    let mut mail = Mail::new(vec![address.into()], kind, "Authentication code", "Your code is 123-456");
    mail.html = Some("<p>Your code is <b>123-456</b></p>".into());
    mail
}
