//! [`Audit`]: writes the audit log.

use std::sync::Arc;

use serde_json::Value;

use super::client_info::ClientInfo;
use crate::call::Connection;
use crate::clock::Clock;
use crate::store::{AuditEntry, AuditEvent, Store};
use crate::user::UserId;

/// Writes entries of the audit log, and the same to the log of the process.
pub(crate) struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Audit {
    pub(super) fn new(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Self {
        Self { store: Arc::clone(store), clock: Arc::clone(clock) }
    }

    /// Records an event that concerns `user`. The actor and the client are those of the connection. An entry that cannot
    /// be written is logged, and the operation goes on.
    pub(crate) async fn record(
        &self,
        event: AuditEvent,
        user: Option<&UserId>,
        connection: Option<&Connection>,
        details: Value,
    ) {
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
        };
        tracing::info!(
            target: "bolide::audit",
            event = event.as_str(),
            user = user.map(UserId::as_str),
            address = entry.address,
            "{}",
            entry.details
        );
        if let Err(error) = self.store.record(vec![entry]).await {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }
}
