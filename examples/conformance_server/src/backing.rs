//! The store, the keys, the mailer and the origins of the conformance server, as configured by its flags.

use std::sync::Arc;

use bolide::accounts::{Accounts, RelyingParty};
use bolide::chance::SystemChance;
use bolide::clock::{MovableClock, Timestamp};
use bolide::keys::KeyRing;
use bolide::mail::{FileMailer, LogMailer, LoggedText, Sender, SmtpMailer};
use bolide::store::{BackupCodes, KeyedHash, Passkey, SqlStore, UsedChallenge};
use bolide::{App, UserId};
use tokio::net::TcpListener;

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

/// Returns where passkeys may be used: on the origin that the cases name, and on this server's own pages, for browsers.
pub(crate) fn relying_party(listener: &TcpListener) -> anyhow::Result<RelyingParty> {
    let own = format!("http://localhost:{}", listener.local_addr()?.port());
    Ok(RelyingParty::new("localhost", ["http://localhost:3000", own.as_str()])?)
}

/// Gives the users who have a second factor a passkey.
pub(crate) async fn add_passkeys(app: &App) -> anyhow::Result<()> {
    let Some(accounts) = app.accounts() else { return Ok(()) };
    for name in ["bob", "emma", "zoe"] {
        let (now, user) = (Timestamp::from_milliseconds(0), UserId::from(format!("user-{name}")));
        let passkey = Passkey::new(format!("passkey-of-{name}"), user, "Lost".into(), Vec::new(), now);
        let challenge = UsedChallenge::new(KeyedHash::new(name), now);
        accounts.store().add_passkey(passkey, challenge, None, BackupCodes::default(), u32::MAX).await?;
    }
    Ok(())
}
