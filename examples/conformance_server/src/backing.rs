//! The store, the keys and the mailer of the conformance server, as configured by its flags.

use std::sync::Arc;

use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::clock::MovableClock;
use bolide::keys::KeyRing;
use bolide::mail::{FileMailer, LogMailer, LoggedText, Sender, SmtpMailer};
use bolide::store::SqlStore;

use super::arguments::Arguments;

pub(crate) async fn open(arguments: &Arguments, clock: &MovableClock) -> anyhow::Result<Accounts> {
    let store = SqlStore::open(&arguments.database).await?;
    let keys = match arguments.database.strip_prefix("sqlite:") {
        Some(path) if path != ":memory:" => KeyRing::open_file(format!("{path}.key").as_ref(), &SystemChance)?,
        // Nodes that share a database share its keys.
        _ => match std::env::var("BOLIDE_KEYS") {
            Ok(keys) => KeyRing::parse(&keys)?,
            Err(_) => KeyRing::generate(&SystemChance),
        },
    };
    let sender: Sender = "Conformance <no-reply@example.com>".parse()?;
    let accounts = Accounts::open(store, keys).await?;
    Ok(match (&arguments.smtp, &arguments.mail_dir) {
        (Some(url), _) => accounts.mailer(SmtpMailer::new(url, sender)?),
        (None, Some(directory)) => accounts.mailer(FileMailer::new(directory, sender, Arc::new(clock.clone()))),
        (None, None) => accounts.mailer(LogMailer::new(LoggedText::Withheld)),
    })
}
