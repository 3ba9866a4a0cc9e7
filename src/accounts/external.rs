//! Logins whose first factor an application checks itself, such as those by another service: see
//! [`AccountsHandle::log_in`].

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bolide_protocol::two_factor::TwoFactorMethod;
use http::HeaderMap;

use super::login::ExternalOutcome;
use super::{AccountsHandle, BegunChallenge, LoginSecret, request_connection};
use crate::call::{App, Identity, MethodResult};
use crate::clock::Timestamp;
use crate::peer::Peer;
use crate::transport::peer;
use crate::transport::proxies::Proxies;
use crate::transport::server::Http;
use crate::user::UserId;

/// The client that logs in: its address and its program. Made by [`App::visitor`].
#[derive(Clone, Debug, Default)]
pub struct Visitor(Peer);

/// The outcome of a login.
#[derive(Debug)]
pub enum ExternalLogin {
    /// The user is logged in.
    LoggedIn(LoginGrant),
    /// The user must show a second factor first.
    Challenged(LoginChallenge),
}

/// A login that was granted.
#[derive(Debug)]
pub struct LoginGrant {
    /// The user who is logged in.
    pub user: UserId,
    /// The login token, which the client sends as `resume` over DDP and as `x-auth-token` over REST.
    pub token: LoginSecret,
    /// When the login ends. `None` if it does not end.
    pub expires_at: Option<Timestamp>,
}

/// A login that waits for a code, for five minutes.
pub struct LoginChallenge {
    /// The `challengeId` that the client sends to `twoFactorChallenges.verifyChallenge` with the code. Rocket.Chat's
    /// clients read it from the path `/2fa/<method>/<id>`. A secret.
    pub id: String,
    /// The factor whose code is asked for. For [`Email`](TwoFactorMethod::Email), a code was sent.
    pub method: TwoFactorMethod,
    /// The options of `navigator.credentials.get`, in their JSON form, for users who have a passkey. Its answer as JSON text
    /// may be sent in place of the code.
    pub webauthn: Option<serde_json::Value>,
}

impl App {
    /// Describes the client of a request to a route of the application's own. `x-forwarded-for` counts as far as the app
    /// trusts its proxies.
    #[must_use]
    pub fn visitor(&self, socket: Option<SocketAddr>, headers: &HeaderMap) -> Visitor {
        let proxies =
            self.core().slot::<Http>().map_or_else(|| Arc::new(Proxies::None), |http| http.proxies.load_full());
        Visitor(peer::describe(socket.into(), headers, &proxies))
    }
}

impl AccountsHandle {
    /// Logs in a user whom the application has recognized by itself. If the user has a second factor, the login is
    /// challenged: the application leads the client to a page that asks for a code, and the client sends the code to the
    /// REST endpoint `twoFactorChallenges.verifyChallenge`, once.
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
    /// `error-user-not-found` if there is no such user, or it may not log in.
    pub async fn log_in(&self, user: &UserId, visitor: &Visitor) -> MethodResult<ExternalLogin> {
        let connection = request_connection(visitor.0.clone(), Identity::default());
        Ok(match self.core().login.log_in_external(user, Some(&connection)).await? {
            ExternalOutcome::LoggedIn(login) => ExternalLogin::LoggedIn(LoginGrant {
                expires_at: login.expires_at(),
                user: login.id,
                token: LoginSecret::from(login.token),
            }),
            ExternalOutcome::Challenged(begun) => {
                let BegunChallenge { id, method, webauthn } = begun;
                ExternalLogin::Challenged(LoginChallenge { id, method, webauthn })
            }
        })
    }
}

impl fmt::Debug for LoginChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoginChallenge").field("method", &self.method).finish_non_exhaustive()
    }
}
