//! The recheck: asks the store at regular intervals what this node may not have been told of. The bus may lose a message,
//! and neither a revoked token nor a changed setting depends on one: they take effect within half a minute.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::AccountsCore;
use crate::call::{ConnectionPort as _, MethodResult};
use crate::store::HashedToken;
use crate::user::UserId;

/// The default time between two rechecks. With the time that one takes, it is below half a minute.
pub(super) const INTERVAL: Duration = Duration::from_secs(20);

/// The maximum number of tokens or users in one query.
const BATCH: usize = 500;

/// Rechecks regularly, until the app stops or the accounts are dropped.
pub(super) async fn recheck_regularly(core: Weak<AccountsCore>, interval: Duration, stopped: CancellationToken) {
    let mut users = HashSet::new();
    while stopped.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
        let Some(core) = core.upgrade() else { return };
        core.setting_changes.read_again().await;
        if let Err(error) = recheck(&core, &mut users).await {
            tracing::error!(%error, "logins cannot be checked again");
        }
    }
}

/// Ends the sessions of this node whose token or user has ended. `active` are the users without a token who were active
/// before: the application may have signed in others, which it knows itself.
async fn recheck(core: &AccountsCore, active: &mut HashSet<UserId>) -> MethodResult<()> {
    let (tokens, users) = logins(core);
    end_tokens(core, &tokens).await?;
    let mut still_active = HashSet::new();
    for batch in users.chunks(BATCH) {
        still_active.extend(core.store.active_users(batch).await?);
    }
    for user in users.iter().filter(|user| active.contains(*user) && !still_active.contains(*user)) {
        core.node.end_sessions_of(user, None);
    }
    *active = still_active;
    Ok(())
}

/// Asks about tokens in batches, each once, however many sessions have it.
async fn end_tokens(core: &AccountsCore, tokens: &[HashedToken]) -> MethodResult<()> {
    for batch in tokens.chunks(BATCH) {
        let ended = core.store.ended_tokens(batch, core.clock.now()).await?;
        if !ended.is_empty() {
            let hashed: Vec<String> = ended.iter().map(|token| token.as_str().to_owned()).collect();
            core.node.end_sessions_with(&hashed, None);
        }
    }
    Ok(())
}

/// Returns the tokens that sessions have logged in with, and the users whom methods have signed in without a token.
fn logins(core: &AccountsCore) -> (Vec<HashedToken>, Vec<UserId>) {
    let (mut tokens, mut users) = (HashSet::new(), HashSet::new());
    for session in core.node.host().map(|host| host.sessions.all()).unwrap_or_default() {
        let identity = session.identity();
        match (identity.credential, identity.user) {
            (Some(credential), _) => drop(tokens.insert(credential.hashed)),
            (None, Some(user)) => drop(users.insert(user)),
            (None, None) => {}
        }
    }
    (tokens.into_iter().map(HashedToken::from_base64).collect(), users.into_iter().collect())
}
