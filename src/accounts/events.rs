//! What other nodes tell about users, tokens and settings. An event is a hint: this node reads the present state from the
//! store.

use std::sync::Arc;

use super::AccountsCore;
use crate::bus::BusEvent;
use crate::store::Topic;

/// Applies an event of another node.
pub(crate) fn hear(core: &AccountsCore, event: &BusEvent) {
    match event {
        BusEvent::TokensEnded { hashed } => {
            core.node.end_sessions_with(hashed, None);
            core.store.changes().tell(Topic::Tokens);
        }
        BusEvent::UserSignedOut { user } => core.node.end_sessions_of(user, None),
        BusEvent::UserChanged { user } => {
            core.store.changes().tell(Topic::Users);
            let (users, user) = (Arc::clone(&core.users), user.clone());
            core.node.in_background(async move { users.changed_elsewhere(&user).await });
        }
        BusEvent::SettingChanged { .. } => {
            let changes = Arc::clone(&core.setting_changes);
            core.node.in_background(async move {
                if let Err(error) = changes.read_again().await {
                    tracing::error!(%error, "the settings cannot be read again");
                }
            });
        }
        _ => {}
    }
}
