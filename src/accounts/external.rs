//! Log-ins whose first factor an application checks itself, such as those by another service: see
//! [`AccountsHandle::log_in`].

use std::fmt;
use std::net::SocketAddr;

use bolide_protocol::ejson::Date;
use bolide_protocol::two_factor::TwoFactorMethod;
use http::HeaderMap;

use super::{AccountsCore, AccountsHandle, LoginAttempt, LoginResult, LoginSecret, request_connection};
use crate::call::{App, Connection, Identity, MethodResult};
use crate::clock::Timestamp;
use crate::peer::Peer;
use crate::store::User;
use crate::transport::peer;
use crate::transport::proxies::Proxies;
use crate::transport::server::Http;
use crate::two_factor::Begun;
use crate::user::UserId;

/// Who logs in: from where, and with which program. Made by [`App::visitor`].
#[derive(Clone, Debug, Default)]
pub struct Visitor(Peer);

/// What becomes of a log-in.
#[derive(Debug)]
pub enum ExternalLogin {
    /// The user is logged in.
    LoggedIn(LoginGrant),
    /// The user must show a second factor first.
    Challenged(LoginChallenge),
}

/// A log-in that was granted.
#[derive(Debug)]
pub struct LoginGrant {
    /// Who is logged in.
    pub user: UserId,
    /// What the client shows from now on: `resume` over DDP, `x-auth-token` over REST.
    pub token: LoginSecret,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A log-in that waits for a code, for five minutes.
pub struct LoginChallenge {
    /// What `twoFactorChallenges.verifyChallenge` is given as `challengeId`, beside the code. Rocket.Chat's clients know it
    /// from the path `/2fa/<method>/<id>`. A secret.
    pub id: String,
    /// Which code is asked for. One for [`Email`](TwoFactorMethod::Email) is on its way.
    pub method: TwoFactorMethod,
}

impl App {
    /// Who sent a request to a route of the application's own, beside the app's routes in one router. Proxies are believed
    /// as far as the app believes them.
    #[must_use]
    pub fn visitor(&self, socket: Option<SocketAddr>, headers: &HeaderMap) -> Visitor {
        let proxies = self.core().slot::<Http>().map_or(Proxies::None, |http| http.proxies.clone());
        Visitor(peer::describe(socket, headers, &proxies))
    }
}

impl AccountsHandle {
    /// Logs in a user whom the application has recognized by itself. Who has a second factor is asked for it: the
    /// application leads the client to a page of its own that asks, and the client shows the code at the REST endpoint
    /// `twoFactorChallenges.verifyChallenge`, once.
    ///
    /// ```no_run
    /// use bolide::accounts::{AccountsHandle, ExternalLogin, Visitor};
    /// use bolide::prelude::*;
    ///
    /// /// Where the browser goes after another service has said who it is.
    /// async fn after_sign_in(accounts: &AccountsHandle, user: &UserId, visitor: &Visitor) -> MethodResult<String> {
    ///     Ok(match accounts.log_in(user, visitor).await? {
    ///         ExternalLogin::LoggedIn(login) => format!("/home#resume={}", login.token.expose()),
    ///         ExternalLogin::Challenged(challenge) => format!("/2fa/{}/{}", challenge.method, challenge.id),
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    /// `error-user-not-found` when there is no such user, or none that may log in.
    pub async fn log_in(&self, user: &UserId, visitor: &Visitor) -> MethodResult<ExternalLogin> {
        let connection = request_connection(visitor.0.clone(), Identity::default());
        Ok(match self.core().begin_login(user, "external", Some(&connection)).await? {
            Begun::LoggedIn(login) => ExternalLogin::LoggedIn(LoginGrant {
                expires_at: login.expires_at(),
                user: login.id,
                token: LoginSecret::from(login.token),
            }),
            Begun::Challenged { id, method } => ExternalLogin::Challenged(LoginChallenge { id, method }),
        })
    }
}

impl AccountsCore {
    /// The application's hooks may refuse whom it has recognized.
    pub(crate) async fn validate_external(
        &self,
        user: &User,
        kind: &'static str,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let attempt = LoginAttempt::allowed(kind.into(), "login", user.clone(), connection);
        let outcome = self.hooks.validate_login(attempt).await;
        if outcome.is_err() {
            self.audit("login.refused", Some(&user.id), connection, serde_json::json!({ "type": kind })).await;
        }
        outcome
    }
}

impl LoginResult {
    /// When the log-in ends; nothing for one that never does.
    fn expires_at(&self) -> Option<Timestamp> {
        self.token_expires.and_then(Date::milliseconds).map(Timestamp::from_milliseconds)
    }
}

impl fmt::Debug for LoginChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoginChallenge").field("method", &self.method).finish_non_exhaustive()
    }
}
