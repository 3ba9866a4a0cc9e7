//! What other nodes tell about users, tokens and settings. An event is a hint: this node reads the present state from the
//! store.

use std::sync::Arc;

use super::AccountsCore;
use crate::bus::BusEvent;
use crate::store::Topic;

/// Applies an event of another node.
pub(crate) fn hear(core: &AccountsCore, event: &BusEvent) {
    match event {
        // A client whose session ends logs in again at once, so what is kept of its login goes first.
        BusEvent::TokensEnded { hashed } => {
            core.store.forget_tokens(hashed);
            core.node.end_sessions_with(hashed, None);
            core.store.changes().tell(Topic::Tokens);
        }
        BusEvent::UserSignedOut { user } => {
            core.store.forget_user(user);
            core.store.forget_all_tokens();
            core.node.end_sessions_of(user, None);
        }
        BusEvent::UserChanged { user } => {
            core.store.forget_user(user);
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
