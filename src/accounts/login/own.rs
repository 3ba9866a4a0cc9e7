//! An application's own login handlers, for options other than a resume token or a password.

use std::fmt;
use std::sync::Arc;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use futures::future::BoxFuture;

use super::{Attempt, Login, LoginCode, LoginResult, Selector, text_of, wrong_credentials};
use crate::accounts::blocks::{Begun, CountedLogin, LoginOrigin};
use crate::accounts::login_attempt::LoginAttempt;
use crate::accounts::{AccountsCore, AccountsHandle};
use crate::call::{Connection, MethodError, MethodResult};
use crate::store::User;
use crate::user::UserId;

/// A login, as an own handler receives it.
///
/// `Debug` omits the options, since what clients log in with is secret.
pub struct LoginRequest {
    options: Object,
    connection: Option<Connection>,
    accounts: AccountsHandle,
}

/// A handler, and the `type` of its logins.
pub(in crate::accounts) struct OwnHandler {
    pub(in crate::accounts) kind: Arc<str>,
    pub(in crate::accounts) run: HandlerFunction,
}

pub(in crate::accounts) type HandlerFunction =
    Box<dyn Fn(LoginRequest) -> BoxFuture<'static, MethodResult<Option<UserId>>> + Send + Sync>;

impl LoginRequest {
    /// Returns the options that the client has sent with `login`. They are not checked.
    #[must_use]
    pub const fn options(&self) -> &Object {
        &self.options
    }

    /// Returns an option by name. `None` if it is missing, empty or not a text.
    #[must_use]
    pub fn text(&self, option: &str) -> Option<&str> {
        text_of(&self.options, option)
    }

    /// Returns the connection. `None` for a login that the application makes itself.
    #[must_use]
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Returns the accounts, to look a user up or to add a new one.
    #[must_use]
    pub const fn accounts(&self) -> &AccountsHandle {
        &self.accounts
    }
}

impl Login {
    pub(super) async fn log_in_by_own_handlers(
        &self,
        shown: &mut LoginAttempt,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        let unrecognized = || MethodError::new(400, "Unrecognized options for login request");
        let app = self.node.app().filter(|_| !self.handlers.is_empty());
        let accounts = app.and_then(|app| AccountsCore::handle_of(&app)).ok_or_else(unrecognized)?;
        let origin = origin(options, connection);
        let attempt = Attempt { shown, connection, code, origin, has_shown_both: false };
        let counted = match self.blocks.begin_as_typed(&attempt.origin).await? {
            Begun::Open(refusal) => return Err(self.refuse_blocked(&attempt, refusal).await),
            Begun::Counted(login) => Some(login),
            Begun::Silent => None,
        };
        for handler in &self.handlers {
            let request =
                LoginRequest { options: options.clone(), connection: connection.cloned(), accounts: accounts.clone() };
            let outcome = (handler.run)(request).await;
            attempt.shown.kind = handler.kind.to_string().into();
            match outcome {
                Ok(None) => {}
                Ok(Some(user)) => return self.admit_named(attempt, counted, &user).await,
                Err(error) => {
                    let Some(told) = error.for_client().cloned() else {
                        self.refund_undecided(counted).await?;
                        return Err(error);
                    };
                    return Err(self.refuse(attempt, None, told).await);
                }
            }
        }
        attempt.shown.kind = "".into();
        self.refund_undecided(counted).await?;
        Err(unrecognized())
    }

    /// Refunds a login that was not decided.
    pub(super) async fn refund_undecided(&self, counted: Option<CountedLogin>) -> MethodResult<()> {
        match counted {
            Some(login) => Ok(self.blocks.refund(login).await?),
            None => Ok(()),
        }
    }

    /// Admits the user that a handler has named, if the user may log in.
    async fn admit_named(
        &self,
        attempt: Attempt<'_>,
        counted: Option<CountedLogin>,
        id: &UserId,
    ) -> MethodResult<LoginResult> {
        let found = self.users.find(&Selector::Id(id.clone())).await?;
        self.admit_found(attempt, counted, id, found).await
    }

    /// Admits a user, if the user may log in. If credentials have changed since the user was read, the login is refused.
    pub(super) async fn admit_found(
        &self,
        mut attempt: Attempt<'_>,
        counted: Option<CountedLogin>,
        id: &UserId,
        found: Option<User>,
    ) -> MethodResult<LoginResult> {
        attempt.origin.user = Some(id.clone());
        let counted = match counted {
            Some(login) => self.blocks.add_user(id, login).await?,
            None => None,
        };
        match (found, counted) {
            (Some(user), Some(login)) if user.is_active => self.admit(attempt, login, user).await,
            (found, _) => Err(self.refuse(attempt, found, wrong_credentials()).await),
        }
    }
}

/// Returns what failures are counted under: the name, if it is in one of the options that usually have it.
fn origin(options: &Object, connection: Option<&Connection>) -> LoginOrigin {
    let in_user = options.get("user").and_then(Ejson::as_object).and_then(|user| user.first());
    let name = in_user.and_then(|(_, name)| name.as_str());
    let name = name.or_else(|| ["user", "username", "email"].into_iter().find_map(|key| text_of(options, key)));
    LoginOrigin::new(name, None, connection)
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
