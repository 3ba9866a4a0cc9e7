//! [`Login`]: the login pipeline, the same for every door:
//!
//! 1. the first handler that knows what the client sends says which user it is: a resume token, a password, or an
//!    [passkey](passkey), or an [application's own](own);
//! 2. a user who is blocked or not active is rejected;
//! 3. the application's [hooks](super::hooks) may reject;
//! 4. a second factor is asked for;
//! 5. a [token](super::tokens) is issued.

mod options;
mod own;
mod passkey;

use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson};
use serde_json::json;

use super::audit::Audit;
use super::blocks::{BLOCKED_USER, Begun, Blocks, CountedLogin, LoginOrigin};
use super::hooks::Hooks;
use super::login_attempt::{LoginAttempt, Logout};
use super::node::Node;
use super::password::Password;
use super::passwords::Passwords;
use super::second_factor::{BegunChallenge, SecondFactor};
use super::tokens::{LoginResult, LoginSecret, Tokens};
use super::users::Users;
use crate::call::{Connection, Context, Identity, MethodError, MethodResult};
use crate::store::{AuditEvent, StoredHash, User};
use crate::user::UserId;

pub use own::LoginRequest;

pub(crate) use options::Selector;
pub(super) use own::OwnHandler;

use options::{is_truthy, password_options, unwrap_totp};

/// The login pipeline.
pub(crate) struct Login {
    pub(super) blocks: Blocks,
    pub(super) handlers: Vec<OwnHandler>,
    pub(super) hooks: Arc<Hooks>,
    pub(super) node: Arc<Node>,
    pub(super) users: Arc<Users>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) audit: Arc<Audit>,
    pub(super) second_factor: Arc<dyn SecondFactor>,
}

/// A code that comes with a login, and the dialect that the client speaks.
pub(crate) struct LoginCode {
    pub(crate) code: String,
    pub(crate) dialect: Dialect,
}

/// The errors with which the second factor is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `totp-required`, `totp-invalid`.
    RocketChat,
    /// `invalid-2fa-code`: the client has put the code beside the password.
    Meteor,
}

/// The outcome of a login whose first factor the application has checked.
pub(super) enum ExternalOutcome {
    LoggedIn(LoginResult),
    Challenged(BegunChallenge),
}

/// A login on its way through the pipeline.
struct Attempt<'call> {
    /// What the hooks are shown of it.
    shown: &'call mut LoginAttempt,
    connection: Option<&'call Connection>,
    code: Option<LoginCode>,
    origin: LoginOrigin,
    /// Whether the first factor was a second one as well: a passkey that has verified the user.
    has_shown_both: bool,
}

impl Login {
    /// Logs in with the options of `login`, and signs the connection in.
    pub(super) async fn log_in(&self, context: &Context, options: &Object) -> MethodResult<LoginResult> {
        let outcome = self.authenticate(options, context.connection(), None).await?;
        self.tokens.sign_in(context, &outcome).await?;
        Ok(outcome)
    }

    /// Runs the pipeline up to the token, and leaves the connection as it is.
    pub(crate) async fn authenticate(
        &self,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        let mut shown = self.hooks.begin("login", Some(options), connection);
        let outcome = self.try_options(&mut shown, options, connection, code).await;
        self.hooks.tell(shown, outcome).await
    }

    /// Logs a client out, over DDP and REST.
    pub(crate) async fn log_out(&self, identity: &Identity, connection: Option<&Connection>) -> MethodResult<()> {
        self.tokens.log_out(identity, connection).await?;
        if let Some(user) = &identity.user {
            self.hooks.tell_logout(Logout::new(user.clone(), connection)).await;
        }
        Ok(())
    }

    async fn try_options(
        &self,
        shown: &mut LoginAttempt,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        if let Some(wrapped) = options.get("totp").filter(|totp| is_truthy(totp)) {
            let (inner, code) = unwrap_totp(wrapped)?;
            return Box::pin(self.try_options(shown, inner, connection, code)).await;
        }
        if let Some(token) = options.get("resume").filter(|token| is_truthy(token)) {
            shown.kind = "resume".into();
            let token = token.as_str().ok_or_else(DdpError::match_failed)?;
            return self.resume(shown, &LoginSecret::from(token.to_owned()), connection).await;
        }
        if options.get("password").is_some_and(is_truthy) {
            shown.kind = "password".into();
            return self.log_in_by_password(shown, options, connection, code).await;
        }
        if let Some(assertion) = options.get("webauthn").and_then(Ejson::as_str) {
            shown.kind = passkey::KIND.into();
            return self.log_in_by_passkey(shown, options, assertion, connection).await;
        }
        self.log_in_by_own_handlers(shown, options, connection, code).await
    }

    async fn resume(
        &self,
        shown: &mut LoginAttempt,
        secret: &LoginSecret,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        let token = match self.tokens.resume(secret).await? {
            Ok((user, token)) => {
                shown.user = Some(user);
                token
            }
            Err(refusal) => return Err(self.hooks.explain_failure(shown, refusal).await),
        };
        self.hooks.validate_login(shown).await?;
        self.tokens.note_use(&token, connection).await;
        Ok(LoginResult::new(secret, &token, Some("resume".into())))
    }

    async fn log_in_by_password(
        &self,
        shown: &mut LoginAttempt,
        options: &Object,
        connection: Option<&Connection>,
        code: Option<LoginCode>,
    ) -> MethodResult<LoginResult> {
        let (selector, password, own_code) = password_options(options)?;
        let code = code.or_else(|| Some(LoginCode { code: own_code?, dialect: Dialect::Meteor }));
        let found = self.users.find(&selector).await?;
        let origin = LoginOrigin::new(Some(selector.text()), found.as_ref(), connection);
        let attempt = Attempt { shown, connection, code, origin, has_shown_both: false };
        let counted = match self.blocks.begin(&attempt.origin).await? {
            Begun::Open(refusal) => return Err(self.refuse_blocked(&attempt, refusal).await),
            Begun::Counted(login) => Some(login),
            Begun::Silent => None,
        };
        // The hash may have changed while this login waited.
        let found = self.users.find(&selector).await?;
        let (right, counted) = self.verify_counted(found.as_ref(), &password, connection, counted).await?;
        match (found, right, counted) {
            (Some(user), Some(hash), Some(login)) if user.is_active => {
                self.admit(attempt, login, User { password: Some(hash), ..user }).await
            }
            (found, ..) => Err(self.refuse(attempt, found, wrong_credentials()).await),
        }
    }

    /// Compares the password of a login that is counted. One that could not be compared is refunded.
    async fn verify_counted(
        &self,
        user: Option<&User>,
        password: &Password,
        connection: Option<&Connection>,
        counted: Option<CountedLogin>,
    ) -> MethodResult<(Option<StoredHash>, Option<CountedLogin>)> {
        match (self.passwords.verify(user, password, connection).await, counted) {
            (Ok(right), counted) => Ok((right, counted)),
            (Err(error), Some(login)) => {
                self.blocks.refund(login).await?;
                Err(error)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Runs the second half of the pipeline, for a user who was recognized.
    async fn admit(&self, attempt: Attempt<'_>, counted: CountedLogin, user: User) -> MethodResult<LoginResult> {
        let Attempt { shown, connection, code, has_shown_both, .. } = attempt;
        shown.user = Some(user.clone());
        let details = json!({ "type": shown.kind() });
        if let Err(refusal) = self.hooks.validate_login(shown).await {
            self.audit.record(AuditEvent::LoginRefused, Some(&user.id), connection, details).await;
            return Err(refusal);
        }
        if !has_shown_both && let Err(refusal) = self.ask_for_factor(&user, code.as_ref(), connection).await {
            // A login that is asked for a code has not failed.
            if code.is_none() {
                self.blocks.refund(counted).await?;
            }
            return Err(refusal);
        }
        self.blocks.succeed(counted).await?;
        self.audit.record(AuditEvent::LoginSucceeded, Some(&user.id), connection, details).await;
        self.tokens.issue(&user, shown).await
    }

    /// Logs in a user whom a method other than `login` has recognized: by signing up with options, or by a link.
    pub(super) async fn log_in_after(
        &self,
        context: &Context,
        user: User,
        method: &'static str,
        options: Option<&Object>,
    ) -> MethodResult<LoginResult> {
        let mut shown = self.hooks.begin(method, options, context.connection());
        (shown.kind, shown.user) = ("password".into(), Some(user.clone()));
        let outcome = self.log_in_recognized(context, &user, &shown).await;
        self.hooks.tell(shown, outcome).await
    }

    async fn log_in_recognized(
        &self,
        context: &Context,
        user: &User,
        shown: &LoginAttempt,
    ) -> MethodResult<LoginResult> {
        self.hooks.validate_login(shown).await?;
        self.ask_for_factor(user, None, context.connection()).await?;
        let login = self.tokens.issue(user, shown).await?;
        self.tokens.sign_in(context, &login).await?;
        Ok(login)
    }

    /// Logs in a user whom the application has recognized, or begins a challenge for the second factor.
    ///
    /// # Errors
    /// `error-user-not-found` if there is no such active user; those of the hooks.
    pub(super) async fn log_in_external(
        &self,
        id: &UserId,
        connection: Option<&Connection>,
    ) -> MethodResult<ExternalOutcome> {
        const KIND: &str = "external";
        let no_such_user = || MethodError::new("error-user-not-found", "User not found");
        let user = self.users.active(id).await?.ok_or_else(no_such_user)?;
        let details = || json!({ "type": KIND });
        let shown = LoginAttempt::of_user(KIND, &user, connection);
        if let Err(refusal) = self.hooks.validate_login(&shown).await {
            self.audit.record(AuditEvent::LoginRefused, Some(&user.id), connection, details()).await;
            return self.hooks.tell(shown, Err(refusal)).await;
        }
        if let Some(challenge) = self.second_factor.begin_challenge(&user, connection).await? {
            return Ok(ExternalOutcome::Challenged(challenge));
        }
        self.audit.record(AuditEvent::LoginSucceeded, Some(&user.id), connection, details()).await;
        let login = self.tokens.issue(&user, &shown).await;
        Ok(ExternalOutcome::LoggedIn(self.hooks.tell(shown, login).await?))
    }

    /// Compares a password with the user's, and returns the stored hash. A wrong one counts as a failed login.
    ///
    /// # Errors
    /// 403 if the password is wrong, or the user is blocked.
    pub(super) async fn prove_password(
        &self,
        user: &User,
        password: &Password,
        connection: Option<&Connection>,
    ) -> MethodResult<StoredHash> {
        let origin = LoginOrigin::new(Some(user.id.as_str()), Some(user), connection);
        let counted = match self.blocks.begin(&origin).await? {
            Begun::Counted(login) => Some(login),
            Begun::Silent | Begun::Open(_) => None,
        };
        // The hash may have changed while this waited.
        let user = self.users.find(&Selector::Id(user.id.clone())).await?;
        match self.verify_counted(user.as_ref(), password, connection, counted).await? {
            (Some(hash), Some(login)) => {
                self.blocks.refund(login).await?;
                Ok(hash)
            }
            _ => Err(wrong_credentials().into()),
        }
    }

    /// Lifts the blocks of a user and forgets the failures before: the user has logged in by a link, or an operator vouches.
    pub(crate) async fn lift_blocks(&self, user: &User) -> MethodResult<()> {
        Ok(self.blocks.lift(user).await?)
    }

    /// Returns what the client is told of a login that failed. It is counted already.
    async fn refuse(&self, attempt: Attempt<'_>, user: Option<User>, told: DdpError) -> MethodError {
        let id = user.as_ref().map(|user| &user.id);
        let details = json!({ "type": attempt.shown.kind() });
        self.audit.record(AuditEvent::LoginFailed, id, attempt.connection, details).await;
        attempt.shown.user = user;
        self.hooks.explain_failure(attempt.shown, told).await
    }

    async fn refuse_blocked(&self, attempt: &Attempt<'_>, told: DdpError) -> MethodError {
        // A blocked address may name any number of users.
        let user = attempt.origin.user.as_ref().filter(|_| told.error == BLOCKED_USER.into());
        self.audit.record(AuditEvent::LoginBlocked, user, attempt.connection, json!({})).await;
        self.hooks.explain_failure(attempt.shown, told).await
    }

    async fn ask_for_factor(
        &self,
        user: &User,
        code: Option<&LoginCode>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let shown = code.map(|code| code.code.as_str());
        let Err(refusal) = self.second_factor.check_at_login(user, shown, connection).await else { return Ok(()) };
        let speaks_meteor = code.is_some_and(|code| code.dialect == Dialect::Meteor);
        let is_invalid = refusal.for_client().is_some_and(|error| error.error == "totp-invalid".into());
        if speaks_meteor && is_invalid {
            return Err(MethodError::new("invalid-2fa-code", MASKED));
        }
        Err(refusal)
    }
}

/// What Meteor says for all wrong credentials, so that it does not reveal which users there are.
const MASKED: &str = "Something went wrong. Please check your credentials.";

pub(super) fn wrong_credentials() -> DdpError {
    DdpError::new(403, MASKED)
}

/// Returns the text of an option, if it is a text and not empty.
fn text_of<'options>(options: &'options Object, name: &str) -> Option<&'options str> {
    options.get(name).and_then(Ejson::as_str).filter(|text| !text.is_empty())
}
