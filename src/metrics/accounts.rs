//! The accounts: events of the audit log, passwords that wait to be hashed, and mails.

use std::time::Duration;

use tokio::time::timeout;

use crate::accounts::AccountsCore;
use crate::call::AppCore;

use super::page::Page;

/// The timeout of the question how many mails wait. Without an answer, the metric has no sample.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn write(core: &AppCore, page: &mut Page) {
    let Some(accounts) = core.slot::<AccountsCore>() else { return };
    let mut events = page.counter("bolide_audit_events", "Events that this node has recorded in the audit log.");
    for (event, count) in accounts.audit.counts() {
        events.sample(&[("event", event.as_str())], count);
    }
    let help = "Calls that wait until a password is hashed, by line.";
    let mut waiting = page.gauge("bolide_hashing_waiting", help);
    for (line, count) in accounts.hashing_lines().waiting {
        waiting.sample(&[("line", line)], count);
    }
    write_mails(accounts, page).await;
}

/// Returns how often a full line has refused a call, by the limit.
pub(super) fn refusals(core: &AppCore) -> Vec<(&'static str, u64)> {
    let Some(accounts) = core.slot::<AccountsCore>() else { return Vec::new() };
    let refused = accounts.hashing_lines().refused;
    vec![
        ("waiting_passwords", refused.in_total),
        ("waiting_passwords_per_network", refused.to_network),
        ("waiting_mails", accounts.mails.queue.figures().refused.get()),
    ]
}

async fn write_mails(accounts: &AccountsCore, page: &mut Page) {
    let queue = &accounts.mails.queue;
    let waiting = timeout(PATIENCE, queue.count_waiting()).await;
    let mut mails = page.gauge("bolide_mails_waiting", "Mails that wait to be sent, of all nodes.");
    if let Ok(Ok(waiting)) = waiting {
        mails.sample(&[], waiting);
    }
    let figures = queue.figures();
    let outcomes = [("sent", &figures.sent), ("failed", &figures.failed), ("given_up", &figures.given_up)];
    let help = "Attempts of this node to send a mail, by outcome. Those that failed are made again.";
    let mut deliveries = page.counter("bolide_mail_deliveries", help);
    for (outcome, count) in outcomes {
        deliveries.sample(&[("outcome", outcome)], count.get());
    }
}
