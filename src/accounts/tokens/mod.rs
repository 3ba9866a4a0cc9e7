//! [`Tokens`]: issues login tokens, recognizes them and ends them.
//!
//! - `secret`: a token as the client has it;
//! - `uses`: when and from where tokens were used last;
//! - `list`: the tokens of a user, shown live;
//! - `personal`: personal access tokens.

mod list;
mod personal;
mod secret;
mod uses;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Date;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::audit::Audit;
use super::client_info::ClientInfo;
use super::hooks::Hooks;
use super::login::wrong_credentials;
use super::login_attempt::LoginAttempt;
use super::node::Node;
use super::notices::Notices;
use crate::call::{Connection, Context, Credential, Identity, MethodResult};
use crate::chance::Chance;
use crate::clock::{Clock, Timestamp};
use crate::settings::{LOGIN_EXPIRATION, SHORT_LOGIN_EXPIRATION, SHORT_LOGIN_ROLES, Settings};
use crate::store::{AuditEvent, HashedToken, Kept, LoginToken, Store, TokenKind, Totp, User};
use crate::user::UserId;
use uses::TokenUses;

pub(super) use list::register as register_list;
pub(super) use personal::{PersonalTokens, register as register_personal};
pub use secret::LoginSecret;

/// The maximum lifetime of a login, as of the setting: a later date is none in some clients.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24 * 36_500);

/// The login tokens of all users, and the connections that were signed in with them.
pub(crate) struct Tokens {
    store: Arc<dyn Store>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    node: Arc<Node>,
    audit: Arc<Audit>,
    notices: Arc<Notices>,
    hooks: Arc<Hooks>,
    uses: TokenUses,
}

/// What a client receives after a login, in Meteor's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginResult {
    pub(crate) id: UserId,
    pub(crate) token: String,
    pub(crate) token_expires: Expiry,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Cow<'static, str>>,
}

impl Tokens {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        settings: &Settings,
        (clock, chance): (&Arc<dyn Clock>, &Arc<dyn Chance>),
        node: &Arc<Node>,
        (audit, notices, hooks): (&Arc<Audit>, &Arc<Notices>, &Arc<Hooks>),
    ) -> Self {
        Self {
            store: Arc::clone(store),
            settings: settings.clone(),
            clock: Arc::clone(clock),
            chance: Arc::clone(chance),
            node: Arc::clone(node),
            audit: Arc::clone(audit),
            notices: Arc::clone(notices),
            hooks: Arc::clone(hooks),
            uses: TokenUses::default(),
        }
    }

    /// Issues a token to a user whose credentials were checked. `user` is the user as it was then. The user is told by mail
    /// if the client was not seen before.
    ///
    /// # Errors
    /// 403 if the user has changed since.
    pub(crate) async fn issue(&self, user: &User, attempt: &LoginAttempt) -> MethodResult<LoginResult> {
        let (secret, connection) = (LoginSecret::generate(&*self.chance), attempt.connection());
        let expires_at = self.clock.now().plus(self.lifetime_of(user, attempt));
        let token = self.new_session(&user.id, &secret, expires_at, connection);
        self.store.insert_token(token.clone()).await?;
        self.confirm(user, &token).await?;
        self.notices.note_login(user, connection).await;
        Ok(LoginResult::new(&secret, &token, Some(attempt.kind.clone())))
    }

    /// Takes a token back if the user has changed since the credentials were checked: a new password, a new factor or a
    /// deactivation ends the tokens that it finds, and this one may have come too late to be found.
    async fn confirm(&self, checked: &User, token: &LoginToken) -> MethodResult<()> {
        if self.store.user(&checked.id).await?.is_some_and(|now| has_same_credentials(checked, &now)) {
            return Ok(());
        }
        self.store.delete_token(&token.hashed).await?;
        Err(wrong_credentials().into())
    }

    fn new_session(
        &self,
        user: &UserId,
        secret: &LoginSecret,
        expires_at: Timestamp,
        connection: Option<&Connection>,
    ) -> LoginToken {
        let ClientInfo { address, user_agent } = ClientInfo::of_connection(connection);
        let now = self.clock.now();
        LoginToken {
            hashed: secret.hashed(),
            user: user.clone(),
            kind: TokenKind::Session { expires_at },
            created_at: now,
            trust: None,
            last_used_at: Some(now),
            last_address: address,
            last_user_agent: user_agent,
        }
    }

    /// Returns how long a login of this user lasts: what a hook of the application says, or else the settings.
    fn lifetime_of(&self, user: &User, attempt: &LoginAttempt) -> Duration {
        let own = self.hooks.lifetime(attempt).map(|own| own.min(LONGEST_LIFETIME));
        own.unwrap_or_else(|| self.usual_lifetime(&user.roles))
    }

    /// Returns how long a login of a user with these roles lasts, by the settings.
    pub(super) fn usual_lifetime(&self, roles: &[String]) -> Duration {
        let short = self.settings.get(&SHORT_LOGIN_ROLES);
        let is_short = short.split(',').map(str::trim).any(|name| roles.iter().any(|role| role == name));
        if !is_short {
            return self.lifetime();
        }
        let hours = u64::try_from(self.settings.get(&SHORT_LOGIN_EXPIRATION)).unwrap_or(1);
        Duration::from_secs(hours.saturating_mul(3600)).min(self.lifetime())
    }

    /// Returns how long a login lasts if nothing makes it shorter.
    fn lifetime(&self) -> Duration {
        let days = u64::try_from(self.settings.get(&LOGIN_EXPIRATION)).unwrap_or(90);
        Duration::from_secs(days.saturating_mul(86_400))
    }

    /// Signs the connection in with a token, and ends the connection if the token or the user was removed meanwhile.
    pub(super) async fn sign_in(&self, context: &Context, login: &LoginResult) -> MethodResult<()> {
        let hashed = LoginSecret::from(login.token.clone()).hashed();
        let credential = Credential { hashed: Arc::from(hashed.as_str()), expires_at: login.expires_at() };
        let identity = Identity { user: Some(login.id.clone()), credential: Some(credential) };
        context.sign_in(identity).await?;
        let is_there = self.store.token(&hashed).await?.is_some();
        if !is_there || !self.store.user(&login.id).await?.is_some_and(|user| user.is_active) {
            self.node.end_connections(&[hashed], None);
        }
        Ok(())
    }

    /// Returns the user and the token of a client that resumes a login, or what the client is told if it cannot.
    pub(super) async fn resume(&self, secret: &LoginSecret) -> MethodResult<Result<(User, LoginToken), DdpError>> {
        let logged_out = || DdpError::new(403, "You've been logged out by the server. Please log in again.");
        if secret.is_too_long() {
            return Ok(Err(logged_out()));
        }
        let Some(token) = self.store.token(&secret.hashed()).await? else { return Ok(Err(logged_out())) };
        if token.expires_at().is_some_and(|end| end <= self.clock.now()) {
            return Ok(Err(DdpError::new(403, "Your session has expired. Please log in again.")));
        }
        let user = self.store.user(&token.user).await?.filter(|user| user.is_active);
        Ok(user.map(|user| (user, token)).ok_or_else(logged_out))
    }

    /// Replaces the token of the connection by a new one that ends when the old one would have. The old one stays until
    /// the client removes it.
    pub(super) async fn renew(&self, context: &Context) -> MethodResult<LoginResult> {
        let (user, current) = self.current(context).await?;
        let TokenKind::Session { expires_at } = current.kind else {
            return Err(DdpError::bare("Invalid login token").into());
        };
        let secret = LoginSecret::generate(&*self.chance);
        let mut token = self.new_session(&user, &secret, expires_at, context.connection());
        token.created_at = current.created_at;
        let login = LoginResult::new(&secret, &token, None);
        if !self.store.insert_token_beside(&current.hashed, token).await? {
            return Err(DdpError::bare("Invalid login token").into());
        }
        // From now on it is the connection's own: `removeOtherTokens`, which clients call next, spares it.
        self.sign_in(context, &login).await?;
        Ok(login)
    }

    /// Returns the user and the token with which the connection is signed in.
    async fn current(&self, context: &Context) -> MethodResult<(UserId, LoginToken)> {
        let user = context.user_id().ok_or_else(|| DdpError::bare("You are not logged in."))?;
        let token = own_token(context).ok_or_else(|| DdpError::bare("Invalid login token"))?;
        let token = self.store.token(&token).await?.filter(|token| token.user == user);
        Ok((user, token.ok_or_else(|| DdpError::bare("Invalid login token"))?))
    }

    /// Logs a client out, over DDP and REST: removes its token and ends the other connections that use it.
    pub(crate) async fn log_out(&self, identity: &Identity, connection: Option<&Connection>) -> MethodResult<()> {
        if let Some(credential) = &identity.credential {
            let own = HashedToken::from_base64(&*credential.hashed);
            self.store.delete_token(&own).await?;
            self.node.end_connections(&[own], connection);
        }
        // A logout without a login is not an event: any client can send any number of them.
        if identity.user.is_some() {
            self.audit.record(AuditEvent::Logout, identity.user.as_ref(), connection, json!({})).await;
        }
        Ok(())
    }

    /// Ends all logins of the user except for the one of the connection. Personal access tokens stay.
    pub(super) async fn log_out_others(&self, context: &Context) -> MethodResult<()> {
        let (user, current) = self.current(context).await?;
        let removed = self.store.delete_session_tokens(&user, Some(&current.hashed)).await?;
        self.node.end_connections(&removed, None);
        let details = json!({ "count": removed.len() });
        self.audit.record(AuditEvent::SessionsRevoked, Some(&user), context.connection(), details).await;
        Ok(())
    }

    /// Ends the logins of a user except for `kept`, whose connection is `spared`, and forgets which clients were trusted.
    /// Personal access tokens stay.
    pub(crate) async fn end_other_logins(
        &self,
        user: &UserId,
        kept: Option<&HashedToken>,
        spared: Option<&Connection>,
    ) -> MethodResult<()> {
        let ended = self.store.delete_session_tokens(user, kept).await?;
        self.store.distrust_tokens(user).await?;
        self.node.end_connections(&ended, spared);
        Ok(())
    }

    /// Ends all access of a user: tokens of every kind, connections, links, challenges, codes and pending secrets.
    /// Returns how many tokens there were.
    pub(crate) async fn end_all(&self, user: &UserId) -> MethodResult<usize> {
        let ended = self.store.end_access(user, Kept::Nothing).await?;
        self.end_connections(user, &ended, None);
        Ok(ended.len())
    }

    /// Ends the connections of a user whose access has ended in the store, except for `spared`.
    pub(in crate::accounts) fn end_connections(
        &self,
        user: &UserId,
        ended: &[HashedToken],
        spared: Option<&Connection>,
    ) {
        self.node.end_connections(ended, spared);
        self.node.end_connections_of(user, spared);
    }

    /// Removes the tokens that have expired, and ends their connections.
    pub(super) async fn sweep(&self) -> MethodResult<()> {
        let ended = self.store.delete_expired_tokens(self.clock.now()).await?;
        self.node.end_connections(&ended, None);
        Ok(())
    }
}

impl LoginResult {
    pub(super) fn new(secret: &LoginSecret, token: &LoginToken, kind: Option<Cow<'static, str>>) -> Self {
        Self {
            id: token.user.clone(),
            token: secret.expose().to_owned(),
            token_expires: Expiry(token.expires_at()),
            kind,
        }
    }

    /// Returns when the login ends. `None` if it does not end.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.token_expires.0
    }
}

/// When a token expires; `None` if it never does. It is sent as a date in the year 9999 then, because clients read
/// `tokenExpires.$date` and compare it with the present time.
pub(crate) struct Expiry(Option<Timestamp>);

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const END_OF_9999: Date = Date::from_milliseconds(253_402_300_799_999);
        self.0.map_or(END_OF_9999, Timestamp::to_date).serialize(serializer)
    }
}

/// Returns the token with which the connection of a call is signed in.
pub(crate) fn own_token(context: &Context) -> Option<HashedToken> {
    let credential = context.connection()?.identity().credential?;
    Some(HashedToken::from_base64(credential.hashed))
}

/// Returns whether what a login depends on is as it was.
fn has_same_credentials(then: &User, now: &User) -> bool {
    let has_totp = |user: &User| matches!(user.totp, Totp::On(_));
    now.is_active
        && now.password == then.password
        && has_totp(now) == has_totp(then)
        && now.has_email_codes == then.has_email_codes
        && now.passkeys == then.passkeys
}
