//! Mail: delivery to a mail server, and the queue while the server is unavailable.

mod links;
mod mailers;
mod queue;
mod smtp;

use std::sync::Arc;

use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::mail::{Mail, MailKind, MailSeal};

/// Returns a mail that contains a secret.
fn code_for(address: &str) -> Mail {
    let kind = MailKind::TwoFactorCode;
    let mut mail = Mail::new(vec![address.into()], kind, "Authentication code", "Your code is 123-456");
    mail.html = Some("<p>Your code is <b>123-456</b></p>".into());
    mail
}

/// Returns a seal that always has the same key, as after a restart or on another node.
fn seal() -> MailSeal {
    let keys = KeyRing::parse("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
    MailSeal::new(Arc::new(keys), Arc::new(SystemChance))
}
