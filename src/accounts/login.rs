//! The log-in pipeline, the same for every door: what the client shows is checked by the first handler that knows it, then
//! come blocks, the second factor, and the token.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::ejson::{Date, Object};
use bolide_protocol::{DdpError, Ejson};
use serde::Serialize;

use super::blocks::{Block, Suspect};
use super::password::{Password, PasswordHash, Verification};
use super::token::LoginSecret;
use super::{AccountsCore, shortened};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::context::Context;
use crate::identity::{Credential, Identity};
use crate::method::{MethodError, MethodResult};
use crate::settings::LOGIN_EXPIRATION;
use crate::store::{LoginToken, StoredHash, TokenKind, User};
use crate::two_factor::TwoFactor;
use crate::user::UserId;

/// What a client is told after a log-in, in Meteor's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginResult {
    pub(crate) id: UserId,
    pub(crate) token: String,
    /// Missing for a token that never ends, as in Rocket.Chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_expires: Option<Date>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
}

impl LoginResult {
    /// When the log-in ends; nothing for one that never does.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.token_expires.and_then(Date::milliseconds).map(Timestamp::from_milliseconds)
    }
}

/// Who a password is for.
pub(crate) enum Selector {
    Id(UserId),
    Username(String),
    Address(String),
}

/// A code that comes with a log-in, and in whose words the client speaks.
pub(crate) struct LoginCode {
    pub(crate) code: String,
    pub(crate) dialect: Dialect,
}

/// Who asks for the second factor in which words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `totp-required`, `totp-invalid`.
    RocketChat,
    /// `invalid-2fa-code`: the client put the code beside the password.
    Meteor,
}

/// How somebody was recognized.
pub(crate) struct Recognized {
    pub(crate) user: User,
    pub(crate) kind: &'static str,
}

impl AccountsCore {
    /// Logs in with what the options of `login` say, and signs the connection in.
    pub(crate) async fn login(&self, context: &Context, options: &Object) -> MethodResult<LoginResult> {
        let outcome = self.authenticate(options, context.connection(), None).await?;
        self.associate(context, &outcome).await?;
        Ok(outcome)
    }

    /// The pipeline without the end: whoever calls decides what becomes of the token.
    pub(crate) async fn authenticate(
        &self,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        if let Some(wrapped) = options.get("totp").filter(|totp| is_truthy(totp)) {
            let (inner, code) = unwrap_totp(wrapped)?;
            return Box::pin(self.authenticate(inner, connection, code)).await;
        }
        if let Some(token) = options.get("resume").filter(|token| is_truthy(token)) {
            let token = token.as_str().ok_or_else(DdpError::match_failed)?;
            return self.resume(LoginSecret::from(token.to_owned()), connection).await;
        }
        if options.get("password").is_some_and(is_truthy) {
            return self.login_by_password(options, connection, code).await;
        }
        Err(MethodError::new(400, "Unrecognized options for login request"))
    }

    async fn resume(&self, secret: LoginSecret, connection: Option<&Connection>) -> MethodResult<LoginResult> {
        let logged_out = || MethodError::new(403, "You've been logged out by the server. Please log in again.");
        let token = self.store.token(&secret.hashed()).await?.ok_or_else(logged_out)?;
        if token.expires_at().is_some_and(|end| end <= self.now()) {
            return Err(MethodError::new(403, "Your session has expired. Please log in again."));
        }
        let user = self.store.user(&token.user).await?.filter(|user| user.is_active).ok_or_else(logged_out)?;
        self.note_use(&token, connection).await?;
        Ok(result(&user, &secret, &token, Some("resume")))
    }

    async fn login_by_password(
        &self,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        let (selector, password, own_code) = password_options(options)?;
        let code = code.or_else(|| Some(LoginCode { code: own_code?, dialect: Dialect::Meteor }));
        let found = self.find_user(&selector).await?;
        let suspect = Suspect {
            name: selector.text().to_owned(),
            user: found.as_ref().map(|user| user.id.clone()),
            address: connection.and_then(Connection::client_address),
        };
        let _one_at_a_time = self.locks.lock(&suspect.lock_key()).await;
        let block = self.find_block(&suspect).await?;
        if let Some(Block::Open(refusal)) = block {
            self.audit("login.blocked", suspect.user.as_ref(), connection, serde_json::json!({})).await;
            return Err(refusal.into());
        }
        let right = self.verify_password(found.as_ref(), &password).await?;
        let user = match found {
            Some(user) if right && user.is_active && block.is_none() => user,
            _ => {
                self.count_failed_login(&suspect).await?;
                self.audit("login.failed", suspect.user.as_ref(), connection, serde_json::json!({})).await;
                return Err(wrong_credentials().into());
            }
        };
        if let Err(refusal) = self.ask_at_login(&user, code.as_ref(), connection).await {
            if code.is_some() {
                self.count_failed_login(&suspect).await?;
            }
            return Err(refusal);
        }
        self.forget_failed_logins(&suspect).await?;
        self.audit("login.succeeded", Some(&user.id), connection, serde_json::json!({ "type": "password" })).await;
        self.new_login(&Recognized { user, kind: "password" }, connection).await
    }

    /// Whether the password is right; takes as long for somebody who is not there.
    pub(crate) async fn verify_password(&self, user: Option<&User>, password: &Password) -> MethodResult<bool> {
        let stored = user.and_then(|user| user.password.as_ref());
        let parsed = stored.and_then(|hash| hash.as_str().parse::<PasswordHash>().ok());
        match (self.hasher.verify(password, parsed.as_ref()).await, user, stored) {
            (Verification::Wrong, ..) => Ok(false),
            (Verification::RightButOutdated, Some(user), Some(old)) => {
                let new = self.hasher.hash(password).await?;
                self.store.replace_password(&user.id, old, StoredHash::new(new.as_str())).await?;
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    async fn ask_at_login(
        &self,
        user: &User,
        code: Option<&LoginCode>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let requirement = TwoFactor::required().disable_password_fallback();
        let shown = code.map(|code| code.code.as_str());
        let Err(refusal) = self.check_at_login(user, requirement, shown, connection).await else { return Ok(()) };
        let in_meteors_words = code.is_some_and(|code| code.dialect == Dialect::Meteor);
        let is_invalid = refusal.for_client().is_some_and(|error| error.error == "totp-invalid".into());
        if in_meteors_words && is_invalid {
            return Err(MethodError::new("invalid-2fa-code", MASKED));
        }
        Err(refusal)
    }

    /// A token for somebody who was recognized.
    pub(crate) async fn new_login(
        &self,
        recognized: &Recognized,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        let secret = LoginSecret::generate(&*self.chance);
        let token = self.new_session_token(&recognized.user.id, &secret, connection);
        self.store.insert_token(token.clone()).await?;
        Ok(result(&recognized.user, &secret, &token, Some(recognized.kind)))
    }

    pub(crate) fn new_session_token(
        &self,
        user: &UserId,
        secret: &LoginSecret,
        connection: Option<&Connection>,
    ) -> LoginToken {
        let days = u64::try_from(self.settings.get(&LOGIN_EXPIRATION)).unwrap_or(90);
        let peer = connection.map(Connection::peer);
        let now = self.now();
        LoginToken {
            hashed: secret.hashed(),
            user: user.clone(),
            kind: TokenKind::Session { expires_at: now.plus(Duration::from_secs(days.saturating_mul(86_400))) },
            created_at: now,
            trust: None,
            last_used_at: Some(now),
            last_address: peer.as_ref().and_then(|peer| peer.address.clone()),
            last_user_agent: peer.as_ref().and_then(|peer| peer.header("user-agent").map(shortened)),
        }
    }

    /// Signs the connection in, and makes sure that the token was not taken away meanwhile.
    pub(crate) async fn associate(&self, context: &Context, login: &LoginResult) -> MethodResult<()> {
        let hashed = LoginSecret::from(login.token.clone()).hashed();
        let credential = Credential { hashed: Arc::from(hashed.as_str()), expires_at: login.expires_at() };
        let identity = Identity { user: Some(login.id.clone()), credential: Some(credential) };
        context.sign_in(identity).await?;
        if self.store.token(&hashed).await?.is_none() {
            self.end_connections(&[hashed]);
        }
        Ok(())
    }

    pub(crate) async fn find_user(&self, selector: &Selector) -> MethodResult<Option<User>> {
        Ok(match selector {
            Selector::Id(id) => self.store.user(id).await?,
            Selector::Username(name) => self.store.user_by_username(name).await?,
            Selector::Address(address) => self.store.user_by_address(address).await?,
        })
    }

    async fn note_use(&self, token: &LoginToken, connection: Option<&Connection>) -> MethodResult<()> {
        let peer = connection.map(Connection::peer);
        let address = peer.as_ref().and_then(|peer| peer.address.clone());
        let user_agent = peer.as_ref().and_then(|peer| peer.header("user-agent").map(shortened));
        Ok(self.store.touch_token(&token.hashed, self.now(), address, user_agent).await?)
    }
}

/// What Meteor says for everything that is wrong, so that nobody learns which users there are.
pub(crate) const MASKED: &str = "Something went wrong. Please check your credentials.";

pub(crate) fn wrong_credentials() -> DdpError {
    DdpError::new(403, MASKED)
}

impl Selector {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Username(text) | Self::Address(text) => text,
        }
    }

    /// `{id}`, `{username}` or `{email}`, with a text that is not empty.
    pub(crate) fn read(value: Option<&Ejson>) -> Result<Self, DdpError> {
        let object = value.and_then(Ejson::as_object).filter(|object| object.len() == 1);
        let (key, value) = object.and_then(|object| object.first()).ok_or_else(DdpError::match_failed)?;
        let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= 1000);
        let text = text.ok_or_else(DdpError::match_failed)?.to_owned();
        match key.as_str() {
            "id" => Ok(Self::Id(text.into())),
            "username" => Ok(Self::Username(text)),
            "email" => Ok(Self::Address(text)),
            _ => Err(DdpError::match_failed()),
        }
    }
}

fn password_options(options: &Object) -> Result<(Selector, Password, Option<String>), DdpError> {
    if options.keys().any(|key| !matches!(key.as_str(), "user" | "password" | "code")) {
        return Err(DdpError::match_failed());
    }
    let selector = Selector::read(options.get("user"))?;
    let password = Password::from_ejson(options.get("password").unwrap_or(&Ejson::Null))?;
    let code = match options.get("code") {
        None | Some(Ejson::Null) => None,
        Some(code) => Some(code.as_str().ok_or_else(DdpError::match_failed)?.to_owned()),
    };
    Ok((selector, password, code.filter(|code| !code.is_empty())))
}

/// `{login, code}`; without a code it is the log-in itself.
fn unwrap_totp(wrapped: &Ejson) -> Result<(&Object, Option<LoginCode>), DdpError> {
    let login = wrapped.get("login").and_then(Ejson::as_object).ok_or_else(DdpError::match_failed)?;
    if login.contains_key("totp") {
        return Err(DdpError::match_failed());
    }
    let code = match wrapped.get("code") {
        None | Some(Ejson::Null) => None,
        Some(code) => Some(code.as_str().ok_or_else(DdpError::match_failed)?.to_owned()),
    };
    let code = code.filter(|code| !code.is_empty());
    Ok((login, code.map(|code| LoginCode { code, dialect: Dialect::RocketChat })))
}

fn is_truthy(value: &Ejson) -> bool {
    !(value.is_null() || value.as_bool() == Some(false) || value.as_str() == Some(""))
}

fn result(user: &User, secret: &LoginSecret, token: &LoginToken, kind: Option<&'static str>) -> LoginResult {
    LoginResult {
        id: user.id.clone(),
        token: secret.expose().to_owned(),
        token_expires: token.expires_at().map(Timestamp::to_date),
        kind,
    }
}
