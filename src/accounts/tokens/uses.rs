//! When and from where login tokens were used last. Each use is recorded at most once a minute.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Tokens;
use crate::accounts::client_info::ClientInfo;
use crate::call::Connection;
use crate::peer::Peer;
use crate::store::{HashedToken, LoginToken};

/// The time after which a use is recorded again.
const INTERVAL: Duration = Duration::from_mins(1);

/// The tokens whose use is being written.
#[derive(Default)]
pub(super) struct TokenUses(Mutex<HashSet<HashedToken>>);

impl Tokens {
    /// Records that a token was used, unless the same client has used it within the last minute: after a restart all
    /// clients come back at once. A use that cannot be recorded is logged, so that a full disk keeps no client out.
    pub(in crate::accounts) async fn note_use(&self, token: &LoginToken, connection: Option<&Connection>) {
        let ClientInfo { address, user_agent } = ClientInfo::of_connection(connection);
        let is_same_client = token.last_address == address && token.last_user_agent == user_agent;
        if is_same_client && token.last_used_at.is_some_and(|last| self.clock.now() < last.plus(INTERVAL)) {
            return;
        }
        if let Err(error) = self.store.touch_token(&token.hashed, self.clock.now(), address, user_agent).await {
            tracing::error!(%error, "the use of a token cannot be noted");
        }
    }

    /// The same for a request, in a task of its own, so that the request does not wait.
    pub(crate) fn note_use_in_background(self: &Arc<Self>, token: &LoginToken, peer: &Peer) {
        let now = self.clock.now();
        let is_fresh = token.last_used_at.is_some_and(|at| at <= now && now < at.plus(INTERVAL));
        if is_fresh || !self.uses.0.lock().insert(token.hashed.clone()) {
            return;
        }
        let (tokens, hashed) = (Arc::clone(self), token.hashed.clone());
        let ClientInfo { address, user_agent } = ClientInfo::of_peer(peer);
        tokio::spawn(async move {
            if let Err(error) = tokens.store.touch_token(&hashed, now, address, user_agent).await {
                tracing::error!(%error, "the use of a token cannot be noted");
            }
            tokens.uses.0.lock().remove(&hashed);
        });
    }
}
