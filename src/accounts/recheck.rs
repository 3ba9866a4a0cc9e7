//! The recheck: asks the store what this node was not told of: at regular intervals, and at once when the bus has lost
//! something. Neither a revoked token nor a changed setting depends on a message: they take effect within half a minute
//! without any bus, and within seconds where a loss is noticed.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::AccountsCore;
use crate::bus::{CatchUp, CatchUpOutcome, Hearing};
use crate::call::ConnectionPort as _;
use crate::store::{HashedToken, StoreError, Topic};
use crate::user::UserId;

/// The default time between two rechecks. With the time that one takes, it is below half a minute.
pub(super) const INTERVAL: Duration = Duration::from_secs(20);

/// The time after which users are shown their documents again while the bus is lost. That reads each of them, and unlike a
/// revoked token they can wait.
const SHOWN_AGAIN: Duration = Duration::from_secs(10);

/// How long a client that logs out itself has for it, from when its token has ended in the store.
const LOGGING_OUT: Duration = Duration::from_millis(250);

/// The timeout for a question to the store. A link that swallows what is sent is not noticed otherwise.
const QUESTION: Duration = Duration::from_secs(5);

/// The maximum number of tokens or users in one query.
const BATCH: usize = 500;

/// What rechecks remember. Held by the one that runs.
#[derive(Default)]
pub(super) struct Rechecks(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// The users without a token who were active. The application may have signed in others, which it knows itself.
    active: HashSet<UserId>,
    /// When users were last shown their documents because messages were lost.
    shown: Option<Instant>,
}

/// Returns what asks the store for changes of accounts that the bus has lost.
pub(crate) fn catch_up(core: &Arc<AccountsCore>) -> Box<dyn CatchUp> {
    Box::new(Accounts(Arc::downgrade(core)))
}

/// Rechecks regularly, until the app stops or the accounts are dropped.
pub(super) async fn recheck_regularly(core: Weak<AccountsCore>, interval: Duration, stopped: CancellationToken) {
    while stopped.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
        let Some(core) = core.upgrade() else { return };
        let mut remembered = core.rechecks.0.lock().await;
        if let Err(error) = recheck(&core, &mut remembered.active).await {
            tracing::error!(%error, "settings and logins cannot be checked again");
        }
    }
}

struct Accounts(Weak<AccountsCore>);

impl CatchUp for Accounts {
    fn catch_up(&self, hearing: Hearing) -> Pin<Box<dyn Future<Output = CatchUpOutcome> + Send + '_>> {
        Box::pin(async move {
            let Some(core) = self.0.upgrade() else { return Ok(()) };
            let mut remembered = core.rechecks.0.lock().await;
            recheck(&core, &mut remembered.active).await?;
            let can_wait = remembered.shown.is_some_and(|shown| shown.elapsed() < SHOWN_AGAIN);
            if hearing == Hearing::Others || !can_wait {
                remembered.shown = Some(Instant::now());
                show(&core).await?;
            }
            Ok(())
        })
    }
}

/// Shows clients what may have changed: users their own documents, and admins their lists.
async fn show(core: &AccountsCore) -> Result<(), StoreError> {
    core.users.all_may_have_changed().await?;
    for topic in [Topic::Users, Topic::Tokens, Topic::Audit, Topic::Mails] {
        core.store.changes().tell(topic);
    }
    Ok(())
}

/// Applies changed settings, and ends the sessions of this node whose token or user has ended. `active` are the users without
/// a token who were active before.
async fn recheck(core: &AccountsCore, active: &mut HashSet<UserId>) -> Result<(), StoreError> {
    core.setting_changes.read_again().await?;
    let (tokens, users) = logins(core);
    end_tokens(core, &tokens).await?;
    let mut still_active = HashSet::new();
    for batch in users.chunks(BATCH) {
        still_active.extend(asked(core.store.active_users(batch)).await?);
    }
    for user in users.iter().filter(|user| active.contains(*user) && !still_active.contains(*user)) {
        core.node.end_sessions_of(user, None);
    }
    *active = still_active;
    Ok(())
}

/// Waits for the answer of the store.
pub(super) async fn asked<T>(question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(QUESTION, question).await.unwrap_or_else(|_elapsed| Err(StoreError::Failed("it does not answer".into())))
}

/// Asks about tokens in batches, each once, however many sessions have it.
async fn end_tokens(core: &AccountsCore, tokens: &[HashedToken]) -> Result<(), StoreError> {
    let mut hashed: Vec<String> = Vec::new();
    for batch in tokens.chunks(BATCH) {
        let ended = asked(core.store.ended_tokens(batch, core.clock.now())).await?;
        hashed.extend(ended.iter().map(|token| token.as_str().to_owned()));
    }
    if !hashed.is_empty() {
        // A client that is logging out is to be told that it is, and has no token any more when this is over.
        tokio::time::sleep(LOGGING_OUT).await;
        core.node.end_sessions_with(&hashed, None);
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
