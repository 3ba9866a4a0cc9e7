//! When and from where login tokens were used last: noted at most once a minute for each, beside the request that uses
//! it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{AccountsCore, shortened};
use crate::peer::Peer;
use crate::store::{HashedToken, LoginToken};

/// So long a use need not be noted again.
const OFTEN_ENOUGH: Duration = Duration::from_mins(1);

/// The tokens whose use is being written down.
#[derive(Default)]
pub(crate) struct TokenUses(Mutex<HashSet<HashedToken>>);

impl AccountsCore {
    /// Notes that a token was used, without keeping anybody waiting. That it cannot be noted is logged, and fails nothing.
    pub(crate) fn note_use_beside(self: &Arc<Self>, token: &LoginToken, peer: &Peer) {
        let now = self.now();
        let is_fresh = token.last_used_at.is_some_and(|at| at <= now && now < at.plus(OFTEN_ENOUGH));
        if is_fresh || !self.token_uses.0.lock().insert(token.hashed.clone()) {
            return;
        }
        let (core, hashed, address) = (Arc::clone(self), token.hashed.clone(), peer.address.map(|own| own.to_string()));
        let user_agent = peer.header("user-agent").map(shortened);
        tokio::spawn(async move {
            if let Err(error) = core.store.touch_token(&hashed, now, address, user_agent).await {
                tracing::error!(%error, "the use of a token cannot be noted");
            }
            core.token_uses.0.lock().remove(&hashed);
        });
    }
}
