//! [`Audit`]: writes the audit log.

use std::sync::Arc;

use serde_json::Value;

use super::client_info::ClientInfo;
use super::counters::counted_address;
use super::notices::Notices;
use crate::call::Connection;
use crate::clock::Clock;
use crate::figures::Count;
use crate::settings::{AUDIT_ENTRIES, Settings};
use crate::store::{AuditEntry, AuditEvent, Store};
use crate::user::UserId;

/// Writes entries of the audit log, and the same to the log of the process.
pub(crate) struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    notices: Arc<Notices>,
    /// In the order of [`AuditEvent::ALL`].
    counts: [Count; AuditEvent::ALL.len()],
}

impl Audit {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        settings: &Settings,
        notices: &Arc<Notices>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            settings: settings.clone(),
            notices: Arc::clone(notices),
            counts: std::array::from_fn(|_| Count::default()),
        }
    }

    /// Returns how often each event happened on this node, whether or not its entry could be written.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (AuditEvent, u64)> {
        AuditEvent::ALL.iter().zip(&self.counts).map(|(event, count)| (*event, count.get()))
    }

    /// Records an event that concerns `user`, and tells the user of it if it changes what protects the account. The actor
    /// and the client are those of the connection. Equal failures of one network in a minute are one entry with a count.
    /// An entry that cannot be written is logged, and the operation goes on.
    pub(crate) async fn record(
        &self,
        event: AuditEvent,
        user: Option<&UserId>,
        connection: Option<&Connection>,
        details: Value,
    ) {
        self.counts[event as usize].one();
        let ClientInfo { address, user_agent } = ClientInfo::of_connection(connection);
        let entry = AuditEntry {
            id: 0,
            at: self.clock.now(),
            event: event.as_str().to_owned(),
            user: user.cloned(),
            actor: connection.and_then(|connection| connection.identity().user),
            address,
            user_agent,
            details: details.to_string(),
            count: 1,
            merge_key: None,
        };
        let entry = AuditEntry { merge_key: merge_key(event, &entry, connection), ..entry };
        tracing::info!(
            target: "bolide::audit",
            event = event.as_str(),
            user = user.map(UserId::as_str),
            address = entry.address,
            "{}",
            entry.details
        );
        let most = self.settings.get(&AUDIT_ENTRIES).try_into().unwrap_or(u32::MAX);
        if let Err(error) = self.store.record(vec![entry], most).await {
            tracing::error!(%error, "the audit log cannot be written");
        }
        if let Some(user) = user {
            self.notices.tell_of_event(event, user, connection, &details).await;
        }
    }
}

/// Returns the key under which an event of a client is merged with equal ones. The details of these events are of the
/// server's making: the kind of a login, a method, a factor.
fn merge_key(event: AuditEvent, entry: &AuditEntry, connection: Option<&Connection>) -> Option<String> {
    let connection = connection.filter(|_| event.is_merged())?;
    let minute = entry.at.milliseconds().div_euclid(60_000);
    let user = entry.user.as_ref().map_or("", UserId::as_str);
    let actor = entry.actor.as_ref().map_or("", UserId::as_str);
    Some(format!("{event} {minute} {} {user} {actor} {}", counted_address(connection), entry.details))
}
