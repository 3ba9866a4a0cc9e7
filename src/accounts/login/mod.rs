//! The log-in pipeline, the same for every door:
//!
//! 1. the first handler that knows what the client shows says who it is: a resume token, a password, or an
//!    [application's own](own);
//! 2. who is blocked or not active is refused;
//! 3. the application's [hooks](super::hooks) may refuse;
//! 4. the gate asks for a second factor;
//! 5. a [token](token) is made.

mod options;
mod own;
mod token;

use std::borrow::Cow;

use bolide_protocol::ejson::{Date, Object};
use bolide_protocol::{DdpError, Ejson};
use serde::Serialize;
use serde_json::json;

use super::AccountsCore;
use super::blocks::{Block, Suspect};
use super::hooks::LoginAttempt;
use super::password::{Password, PasswordHash, Verification};
use super::token::LoginSecret;
use crate::call::{Connection, Context, MethodError, MethodResult, TwoFactor};
use crate::clock::Timestamp;
use crate::store::{LoginToken, StoredHash, User};
use crate::user::UserId;

pub use own::LoginRequest;

pub(crate) use options::Selector;
pub(super) use own::OwnHandler;

use options::{is_truthy, password_options, unwrap_totp};

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
    pub(crate) kind: Option<Cow<'static, str>>,
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

/// Somebody was recognized, as the store had the user then.
pub(crate) struct Recognized {
    pub(crate) user: User,
    pub(crate) kind: Cow<'static, str>,
}

/// A log-in on its way through the pipeline.
struct Attempt<'call> {
    kind: Cow<'static, str>,
    connection: Option<&'call Connection>,
    code: Option<LoginCode>,
    suspect: Suspect,
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
            return self.log_in_by_password(options, connection, code).await;
        }
        self.log_in_by_own_handlers(options, connection, code).await
    }

    async fn resume(&self, secret: LoginSecret, connection: Option<&Connection>) -> MethodResult<LoginResult> {
        match self.find_resumed(&secret).await? {
            Ok((user, token)) => {
                let attempt = LoginAttempt::allowed("resume".into(), "login", user.clone(), connection);
                self.hooks.validate_login(attempt).await?;
                self.note_use(&token, connection).await;
                Ok(result(&user, &secret, &token, Some("resume".into())))
            }
            Err(refusal) => {
                let attempt = LoginAttempt::failed("resume".into(), None, refusal, connection);
                Err(self.hooks.explain_failure(attempt).await)
            }
        }
    }

    async fn find_resumed(&self, secret: &LoginSecret) -> MethodResult<Result<(User, LoginToken), DdpError>> {
        let logged_out = || DdpError::new(403, "You've been logged out by the server. Please log in again.");
        let Some(token) = self.store.token(&secret.hashed()).await? else { return Ok(Err(logged_out())) };
        if token.expires_at().is_some_and(|end| end <= self.now()) {
            return Ok(Err(DdpError::new(403, "Your session has expired. Please log in again.")));
        }
        let user = self.store.user(&token.user).await?.filter(|user| user.is_active);
        Ok(user.map(|user| (user, token)).ok_or_else(logged_out))
    }

    async fn log_in_by_password(
        &self,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        let (selector, password, own_code) = password_options(options)?;
        let code = code.or_else(|| Some(LoginCode { code: own_code?, dialect: Dialect::Meteor }));
        let found = self.find_user(&selector).await?;
        let suspect = Suspect::new(Some(selector.text()), found.as_ref(), connection);
        let _one_at_a_time = self.locks.lock(&suspect.lock_key()).await;
        let _few_at_once = match suspect.address_lock_key() {
            Some(key) => Some(self.locks.lock(&key).await),
            None => None,
        };
        let attempt = Attempt { kind: "password".into(), connection, code, suspect };
        let block = self.find_block(&attempt.suspect).await?;
        if let Some(Block::Open(refusal)) = block {
            return Err(self.refuse_blocked(&attempt, refusal).await);
        }
        // Who was before this one may have changed the hash.
        let found = self.find_user(&selector).await?;
        let right = self.verify_password(found.as_ref(), &password).await?;
        match (found, right) {
            (Some(user), Some(hash)) if user.is_active && block.is_none() => {
                self.admit(attempt, User { password: Some(hash), ..user }).await
            }
            (found, _) => Err(self.refuse(attempt, found, wrong_credentials()).await?),
        }
    }

    /// The second half of the pipeline, for somebody who was recognized.
    async fn admit(&self, attempt: Attempt<'_>, user: User) -> MethodResult<LoginResult> {
        let Attempt { kind, connection, code, suspect } = attempt;
        let asked = LoginAttempt::allowed(kind.clone(), "login", user.clone(), connection);
        if let Err(refusal) = self.hooks.validate_login(asked).await {
            self.count_failed_login(&suspect).await?;
            self.audit("login.refused", Some(&user.id), connection, json!({ "type": kind })).await;
            return Err(refusal);
        }
        if let Err(refusal) = self.ask_at_login(&user, code.as_ref(), connection).await {
            if code.is_some() {
                self.count_failed_login(&suspect).await?;
            }
            return Err(refusal);
        }
        self.forget_failed_logins(&suspect).await?;
        self.audit("login.succeeded", Some(&user.id), connection, json!({ "type": kind })).await;
        self.new_login(&Recognized { user, kind }, connection).await
    }

    /// Logs somebody in whom another method than `login` recognized: who signed up, or came by a link.
    pub(crate) async fn log_in_after(
        &self,
        context: &Context,
        user: User,
        method: &'static str,
    ) -> MethodResult<LoginResult> {
        let connection = context.connection();
        let attempt = LoginAttempt::allowed("password".into(), method, user.clone(), connection);
        self.hooks.validate_login(attempt).await?;
        self.ask_at_login(&user, None, connection).await?;
        let login = self.new_login(&Recognized { user, kind: "password".into() }, connection).await?;
        self.associate(context, &login).await?;
        Ok(login)
    }

    /// Counts a log-in that failed; gives what the client is told.
    async fn refuse(&self, attempt: Attempt<'_>, user: Option<User>, told: DdpError) -> MethodResult<MethodError> {
        self.count_failed_login(&attempt.suspect).await?;
        let id = user.as_ref().map(|user| &user.id);
        self.audit("login.failed", id, attempt.connection, json!({ "type": attempt.kind })).await;
        let attempt = LoginAttempt::failed(attempt.kind, user, told, attempt.connection);
        Ok(self.hooks.explain_failure(attempt).await)
    }

    async fn refuse_blocked(&self, attempt: &Attempt<'_>, told: DdpError) -> MethodError {
        self.audit("login.blocked", attempt.suspect.user.as_ref(), attempt.connection, json!({})).await;
        let attempt = LoginAttempt::failed(attempt.kind.clone(), None, told, attempt.connection);
        self.hooks.explain_failure(attempt).await
    }

    /// The hash that the password was held against, if it is right. It takes as long for somebody who is not there.
    pub(crate) async fn verify_password(
        &self,
        user: Option<&User>,
        password: &Password,
    ) -> MethodResult<Option<StoredHash>> {
        let stored = user.and_then(|user| user.password.as_ref());
        let parsed = stored.and_then(|hash| hash.as_str().parse::<PasswordHash>().ok());
        match (self.hasher.verify(password, parsed.as_ref()).await, user, stored) {
            (Verification::RightButOutdated, Some(user), Some(old)) => self.rehash(user, password, old).await,
            (Verification::Right, _, Some(stored)) => Ok(Some(stored.clone())),
            _ => Ok(None),
        }
    }

    async fn rehash(&self, user: &User, password: &Password, old: &StoredHash) -> MethodResult<Option<StoredHash>> {
        let new = StoredHash::new(self.hasher.hash(password).await?.as_str());
        if self.store.replace_password(&user.id, old, new.clone()).await? {
            return Ok(Some(new));
        }
        // Another log-in was quicker, or it is another password now.
        let now = self.store.user(&user.id).await?.and_then(|user| user.password);
        let parsed = now.as_ref().and_then(|hash| hash.as_str().parse::<PasswordHash>().ok());
        let is_right = self.hasher.verify(password, parsed.as_ref()).await != Verification::Wrong;
        Ok(now.filter(|_| is_right))
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

    pub(crate) async fn find_user(&self, selector: &Selector) -> MethodResult<Option<User>> {
        Ok(match selector {
            Selector::Id(id) => self.store.user(id).await?,
            Selector::Username(name) => self.store.user_by_username(name).await?,
            Selector::Address(address) => self.store.user_by_address(address).await?,
        })
    }
}

/// What Meteor says for everything that is wrong, so that nobody learns which users there are.
pub(crate) const MASKED: &str = "Something went wrong. Please check your credentials.";

pub(crate) fn wrong_credentials() -> DdpError {
    DdpError::new(403, MASKED)
}

fn result(user: &User, secret: &LoginSecret, token: &LoginToken, kind: Option<Cow<'static, str>>) -> LoginResult {
    LoginResult {
        id: user.id.clone(),
        token: secret.expose().to_owned(),
        token_expires: token.expires_at().map(Timestamp::to_date),
        kind,
    }
}

/// The text of an option, if it is one.
fn text_of<'options>(options: &'options Object, name: &str) -> Option<&'options str> {
    options.get(name).and_then(Ejson::as_str).filter(|text| !text.is_empty())
}
