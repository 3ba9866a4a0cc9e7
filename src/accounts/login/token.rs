//! The end of the pipeline: a token is made, and the connection signed in with it.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::ejson::Date;

use super::{LoginResult, Recognized, result, wrong_credentials};
use crate::accounts::token::LoginSecret;
use crate::accounts::{AccountsCore, shortened};
use crate::call::{Connection, Context, Credential, Identity, MethodResult};
use crate::clock::Timestamp;
use crate::settings::LOGIN_EXPIRATION;
use crate::store::{LoginToken, TokenKind, Totp, User};
use crate::user::UserId;

/// What happened within this time is noted once.
const A_MOMENT: Duration = Duration::from_mins(1);

impl AccountsCore {
    /// A token for somebody who was recognized.
    pub(crate) async fn new_login(
        &self,
        recognized: &Recognized,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        let secret = LoginSecret::generate(&*self.chance);
        let token = self.new_session_token(&recognized.user.id, &secret, connection);
        self.store.insert_token(token.clone()).await?;
        self.confirm(&recognized.user, &token).await?;
        Ok(result(&recognized.user, &secret, &token, Some(recognized.kind.clone())))
    }

    /// Takes a token back if the user has changed since what was shown was checked: a new password, a new factor or a
    /// deactivation ends the log-ins that it finds, and this one may have come too late to be found.
    async fn confirm(&self, checked: &User, token: &LoginToken) -> MethodResult<()> {
        if self.store.user(&checked.id).await?.is_some_and(|now| may_log_in_alike(checked, &now)) {
            return Ok(());
        }
        self.store.delete_token(&token.hashed).await?;
        Err(wrong_credentials().into())
    }

    pub(crate) fn new_session_token(
        &self,
        user: &UserId,
        secret: &LoginSecret,
        connection: Option<&Connection>,
    ) -> LoginToken {
        let peer = connection.map(Connection::peer);
        let now = self.now();
        LoginToken {
            hashed: secret.hashed(),
            user: user.clone(),
            kind: TokenKind::Session { expires_at: now.plus(self.login_lifetime()) },
            created_at: now,
            trust: None,
            last_used_at: Some(now),
            last_address: peer.as_ref().and_then(|peer| peer.address).map(|address| address.to_string()),
            last_user_agent: peer.as_ref().and_then(|peer| peer.header("user-agent").map(shortened)),
        }
    }

    /// How long a log-in lasts.
    pub(crate) fn login_lifetime(&self) -> Duration {
        let days = u64::try_from(self.settings.get(&LOGIN_EXPIRATION)).unwrap_or(90);
        Duration::from_secs(days.saturating_mul(86_400))
    }

    /// Signs the connection in, and makes sure that the token was not taken away meanwhile, nor the user.
    pub(crate) async fn associate(&self, context: &Context, login: &LoginResult) -> MethodResult<()> {
        let hashed = LoginSecret::from(login.token.clone()).hashed();
        let expires_at = login.token_expires.and_then(Date::milliseconds).map(Timestamp::from_milliseconds);
        let credential = Credential { hashed: Arc::from(hashed.as_str()), expires_at };
        let identity = Identity { user: Some(login.id.clone()), credential: Some(credential) };
        context.sign_in(identity).await?;
        let is_there = self.store.token(&hashed).await?.is_some();
        if !is_there || !self.store.user(&login.id).await?.is_some_and(|user| user.is_active) {
            self.end_connections(&[hashed]);
        }
        Ok(())
    }

    /// Notes that a token was used, unless the same client has used it a moment ago: after a restart all clients come
    /// back at once. That it cannot be noted, since the disk is full, keeps nobody out.
    pub(super) async fn note_use(&self, token: &LoginToken, connection: Option<&Connection>) {
        let peer = connection.map(Connection::peer);
        let address = peer.as_ref().and_then(|peer| peer.address).map(|address| address.to_string());
        let user_agent = peer.as_ref().and_then(|peer| peer.header("user-agent").map(shortened));
        let is_same_client = token.last_address == address && token.last_user_agent == user_agent;
        if is_same_client && token.last_used_at.is_some_and(|last| self.now() < last.plus(A_MOMENT)) {
            return;
        }
        if let Err(error) = self.store.touch_token(&token.hashed, self.now(), address, user_agent).await {
            tracing::error!(%error, "the use of a token cannot be noted");
        }
    }
}

/// Whether what a log-in depends on is as it was.
fn may_log_in_alike(then: &User, now: &User) -> bool {
    let has_totp = |user: &User| matches!(user.totp, Totp::On(_));
    now.is_active
        && now.password == then.password
        && has_totp(now) == has_totp(then)
        && now.has_email_codes == then.has_email_codes
}
