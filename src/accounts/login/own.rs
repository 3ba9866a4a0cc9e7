//! An application's own log-in handlers, for what is neither a resume token nor a password.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use futures::future::BoxFuture;

use super::{Attempt, LoginCode, LoginResult, text_of, wrong_credentials};
use crate::accounts::blocks::{Block, Suspect};
use crate::accounts::{AccountsCore, AccountsHandle};
use crate::call::{Connection, MethodError, MethodResult};
use crate::user::UserId;

/// What an own handler is shown of a log-in.
///
/// `Debug` shows none of the options: what clients log in with is secret.
pub struct LoginRequest {
    options: Object,
    connection: Option<Connection>,
    accounts: AccountsHandle,
}

/// A handler with the type that its log-ins have.
pub(in crate::accounts) struct OwnHandler {
    pub(in crate::accounts) kind: Arc<str>,
    pub(in crate::accounts) run: HandlerFunction,
}

pub(in crate::accounts) type HandlerFunction =
    Box<dyn Fn(LoginRequest) -> BoxFuture<'static, MethodResult<Option<UserId>>> + Send + Sync>;

impl LoginRequest {
    /// The options that the client has given to `login`. They come from outside: nothing of them is checked.
    #[must_use]
    pub const fn options(&self) -> &Object {
        &self.options
    }

    /// The option of this name, if it is a text and not empty.
    #[must_use]
    pub fn text(&self, option: &str) -> Option<&str> {
        text_of(&self.options, option)
    }

    /// The connection; nothing for a log-in that the application makes itself.
    #[must_use]
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The accounts, to look users up, or to add one who comes for the first time.
    #[must_use]
    pub const fn accounts(&self) -> &AccountsHandle {
        &self.accounts
    }
}

impl AccountsCore {
    pub(super) async fn log_in_by_own_handlers(
        &self,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        let unrecognized = || MethodError::new(400, "Unrecognized options for login request");
        let Some(accounts) = self.handle().filter(|_| !self.handlers.is_empty()) else { return Err(unrecognized()) };
        let mut attempt = Attempt { kind: "own".into(), connection, code, suspect: suspect(options, connection) };
        // Those who show no name do not wait for each other: a handler may ask a slow server, and an address be shared.
        let key = attempt.suspect.name.is_some().then(|| attempt.suspect.lock_key());
        let _one_at_a_time = match &key {
            Some(key) => Some(self.locks.lock(key).await),
            None => None,
        };
        if let Some(Block::Open(refusal)) = self.find_block(&attempt.suspect).await? {
            return Err(self.refuse_blocked(&attempt, refusal).await);
        }
        for handler in &self.handlers {
            let request =
                LoginRequest { options: options.clone(), connection: connection.cloned(), accounts: accounts.clone() };
            let outcome = (handler.run)(request).await;
            attempt.kind = Cow::Owned(handler.kind.to_string());
            match outcome {
                Ok(None) => {}
                Ok(Some(user)) => return self.admit_named(attempt, &user).await,
                Err(error) => {
                    let Some(told) = error.for_client().cloned() else { return Err(error) };
                    return Err(self.refuse(attempt, None, told).await?);
                }
            }
        }
        Err(unrecognized())
    }

    /// A handler says who it is; that counts only for users who may log in.
    async fn admit_named(&self, mut attempt: Attempt<'_>, id: &UserId) -> MethodResult<LoginResult> {
        attempt.suspect.user = Some(id.clone());
        let is_blocked = self.find_block(&attempt.suspect).await?.is_some();
        match self.store.user(id).await? {
            Some(user) if user.is_active && !is_blocked => self.admit(attempt, user).await,
            found => Err(self.refuse(attempt, found, wrong_credentials()).await?),
        }
    }
}

/// Handlers that take a name and a secret mostly call the name so; failures are counted under it.
fn suspect(options: &Object, connection: Option<&Connection>) -> Suspect {
    let in_user = options.get("user").and_then(Ejson::as_object).and_then(|user| user.first());
    let name = in_user.and_then(|(_, name)| name.as_str());
    let name = name.or_else(|| ["user", "username", "email"].into_iter().find_map(|key| text_of(options, key)));
    Suspect::new(name, None, connection)
}

impl fmt::Debug for OwnHandler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OwnHandler").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What clients log in with is secret.
        formatter.debug_struct("LoginRequest").field("connection", &self.connection).finish_non_exhaustive()
    }
}
