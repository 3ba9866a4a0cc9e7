//! The user of a request: `x-auth-token` and `x-user-id` must both be right, or the request is anonymous.

use std::sync::Arc;

use http::HeaderMap;

use crate::accounts::{AccountsCore, LoginSecret};
use crate::call::{Credential, Identity, MethodResult};
use crate::peer::Peer;
use crate::transport::peer::single;
use crate::user::UserId;

pub(super) async fn identify(accounts: &Arc<AccountsCore>, headers: &HeaderMap, peer: &Peer) -> MethodResult<Identity> {
    let (Some(token), Some(user)) = (single(headers, "x-auth-token"), single(headers, "x-user-id")) else {
        return Ok(Identity::default());
    };
    let secret = LoginSecret::from(token.to_owned());
    if secret.is_too_long() {
        return Ok(Identity::default());
    }
    let hashed = secret.hashed();
    let Some(found) = accounts.store.token(&hashed).await? else { return Ok(Identity::default()) };
    let now = accounts.clock.now();
    let has_ended = found.expires_at().is_some_and(|end| end <= now);
    if has_ended || found.user.as_str() != user || !is_active(accounts, &found.user).await? {
        return Ok(Identity::default());
    }
    accounts.tokens.note_use_in_background(&found, peer);
    let credential = Credential { hashed: Arc::from(found.hashed.as_str()), expires_at: found.expires_at() };
    Ok(Identity { user: Some(found.user), credential: Some(credential) })
}

async fn is_active(accounts: &AccountsCore, user: &UserId) -> MethodResult<bool> {
    Ok(accounts.users.active(user).await?.is_some())
}
