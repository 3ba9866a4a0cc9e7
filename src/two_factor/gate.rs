//! [`FactorGate`]: the gate of an app with accounts. It reads what the decision depends on, checks a code, counts wrong
//! ones, and trusts clients that have shown a right one. Every change is one conditional write.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::two_factor::TwoFactorMethod;
use bolide_protocol::{DdpError, random};
use serde_json::{Value, json};

use super::codes::{Checked, Codes, ShownFactor};
use super::decision::{Decision, Facts, TokenFacts, decide};
use super::email::EmailCodes;
use super::passkeys::{Action, PasskeyFactor};
use super::trust::TrustedClients;
use crate::accounts::{Audit, FactorRules, Foundation};
use crate::call::{
    AccessFuture, AccessRequest, Admission, Connection, Gate, GateFuture, GatedCall, MethodError, MethodResult,
    Requirement, TwoFactor, sanitize,
};
use crate::chance::{Chance, Generator};
use crate::clock::{Clock, Timestamp};
use crate::figures::{Figures, GateOutcome};
use crate::settings::{PASSWORD_FALLBACK, Settings, TOKENS_MAY_BYPASS, TWO_FACTOR_ENABLED};
use crate::store::{AuditEvent, CodePurpose, HashedToken, LoginToken, Store, TokenKind, User};
use crate::user::UserId;

/// How long a login counts for users who have neither a factor nor a password, and a new account for users without a
/// factor.
const RECENT: Duration = Duration::from_mins(10);

/// Asks for a second factor before a gated call, and at login.
pub(crate) struct FactorGate {
    store: Arc<dyn Store>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    rules: Arc<FactorRules>,
    codes: Arc<Codes>,
    email: Arc<EmailCodes>,
    passkeys: Arc<PasskeyFactor>,
    trusted: Arc<TrustedClients>,
    audit: Arc<Audit>,
    figures: Arc<Figures>,
}

/// The gate as the dispatcher holds it.
impl Gate for Arc<FactorGate> {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        Box::pin(async move {
            let outcome = self.check_call(call).await;
            outcome.map_err(|error| self.sanitize(error, call.method))
        })
    }

    fn restricts_users(&self) -> bool {
        self.rules.roles_demand_factor()
    }

    fn check_user<'call>(&'call self, request: AccessRequest<'call>) -> AccessFuture<'call> {
        Box::pin(async move {
            let outcome = self.check_access(request).await;
            outcome.map_err(|error| self.sanitize(error, request.name))
        })
    }
}

/// One decision about one call or login.
struct Question<'call> {
    requirement: Requirement,
    code: Option<&'call str>,
    preferred: Option<TwoFactorMethod>,
    connection: Option<&'call Connection>,
    /// The login token. `None` at login.
    token: Option<LoginToken>,
    action: &'call str,
    purpose: CodePurpose,
    /// The name of the user in what the client is told.
    shown_name: Option<String>,
}

impl Question<'_> {
    fn as_action(&self) -> Action<'_> {
        Action { name: self.action, session: self.token.as_ref().map(|token| &token.hashed) }
    }
}

impl FactorGate {
    pub(super) fn new(
        accounts: &Foundation,
        codes: &Arc<Codes>,
        (email, passkeys): (&Arc<EmailCodes>, &Arc<PasskeyFactor>),
        trusted: &Arc<TrustedClients>,
    ) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            settings: accounts.settings.clone(),
            clock: Arc::clone(&accounts.clock),
            chance: Arc::clone(&accounts.chance),
            rules: Arc::clone(&accounts.rules),
            codes: Arc::clone(codes),
            email: Arc::clone(email),
            passkeys: Arc::clone(passkeys),
            trusted: Arc::clone(trusted),
            audit: Arc::clone(&accounts.audit),
            figures: Arc::clone(&accounts.figures),
        }
    }

    fn sanitize(&self, error: MethodError, name: &str) -> DdpError {
        sanitize(error, "gate", name, &random::id(&mut Generator(&*self.chance)))
    }

    async fn check_call(&self, call: GatedCall<'_>) -> MethodResult<Admission> {
        let user = self.store.user(call.user).await?;
        let user = user.ok_or_else(|| DdpError::new("totp-user-not-found", "TOTP User not found"))?;
        // The headers of a session are those of its handshake, perhaps of hours ago. They are not a fresh proof.
        let is_fresh =
            |connection: &&Connection| !connection.is_session() || !call.requirement.is_recent_login_accepted();
        let connection = call.connection.filter(is_fresh);
        let from_header = connection.and_then(|connection| header_code(connection, call.code.is_none()));
        let (code, method) = match (call.code, &from_header) {
            (Some(code), _) => (Some(code.code()), Some(code.method())),
            (None, Some((code, method))) => (code.as_deref(), method.as_deref()),
            (None, None) => (None, None),
        };
        let question = Question {
            requirement: call.requirement,
            code,
            preferred: method.and_then(TwoFactorMethod::parse),
            connection: call.connection,
            token: self.token_of(call.connection, &user.id).await?,
            action: call.method,
            purpose: CodePurpose::Call,
            shown_name: user.verified_addresses().next().map(str::to_owned),
        };
        self.ask(&user, question).await
    }

    /// Asks at login: no token excuses, and the password is not a second factor.
    pub(super) async fn check_at_login(
        &self,
        user: &User,
        code: Option<&str>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let shown_name = user.username.clone().or_else(|| user.verified_addresses().next().map(str::to_owned));
        let question = Question {
            requirement: TwoFactor::required().disable_password_fallback(),
            code,
            // A login has no member that names the factor.
            preferred: code.filter(|code| is_assertion(code)).map(|_| TwoFactorMethod::WebAuthn),
            connection,
            token: None,
            action: "login",
            purpose: CodePurpose::Login,
            shown_name,
        };
        self.ask(user, question).await.map(drop)
    }

    /// Rejects a user who must set up a second factor first, unless what is requested is open to such users.
    async fn check_access(&self, request: AccessRequest<'_>) -> MethodResult<()> {
        if request.open_to_enrolment {
            return Ok(());
        }
        match self.store.user(request.user).await? {
            Some(user) if self.rules.must_enrol(&user) => Err(DdpError::new(
                "error-two-factor-enrolment-required",
                "Your role demands a second factor. Set one up first",
            )
            .into()),
            _ => Ok(()),
        }
    }

    async fn ask(&self, user: &User, question: Question<'_>) -> MethodResult<Admission> {
        let facts = self.facts(user, &question);
        let method = match decide(question.requirement, facts) {
            Decision::Admit => {
                self.figures.gate.count(GateOutcome::Excused, None);
                return Ok(Admission::Excused);
            }
            Decision::AskForLogin => {
                self.figures.gate.count(GateOutcome::LoginTooOld, None);
                return Err(login_is_too_old());
            }
            Decision::Ask(method) => method,
        };
        // Boxed, since it is a large future, and most calls are admitted without a factor.
        Box::pin(self.ask_for_factor(user, question, facts, method)).await
    }

    async fn ask_for_factor(
        &self,
        user: &User,
        question: Question<'_>,
        facts: Facts,
        method: TwoFactorMethod,
    ) -> MethodResult<Admission> {
        let Some(code) = question.code else {
            let details = self.describe(user, facts, &question).await?;
            self.record(GateOutcome::Asked, user, method, &question).await;
            return Err(refusal("totp-required", "TOTP Required", &details));
        };
        let Some(counted) = self.codes.begin(&user.id, question.connection).await? else {
            self.record(GateOutcome::Blocked, user, method, &question).await;
            let details = plain_details(question.requirement, facts);
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        };
        let shown = ShownFactor { method, code, purpose: question.purpose, action: question.as_action() };
        let Checked::Wrong { is_last } = self.codes.check(counted, user, shown, question.connection).await? else {
            self.record(GateOutcome::Passed, user, method, &question).await;
            self.remember(&question).await?;
            return Ok(Admission::Shown(method));
        };
        self.record(GateOutcome::Failed, user, method, &question).await;
        if is_last {
            let details = plain_details(question.requirement, facts);
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        }
        let details = self.describe(user, facts, &question).await?;
        Err(refusal("totp-invalid", "TOTP Invalid", &details))
    }

    /// Counts a decision about a factor, and writes it into the audit log.
    async fn record(&self, outcome: GateOutcome, user: &User, method: TwoFactorMethod, question: &Question<'_>) {
        self.figures.gate.count(outcome, Some(method));
        let event = match outcome {
            GateOutcome::Asked => AuditEvent::TwoFactorAsked,
            GateOutcome::Passed => AuditEvent::TwoFactorPassed,
            GateOutcome::Failed => AuditEvent::TwoFactorFailed,
            GateOutcome::Blocked => AuditEvent::TwoFactorBlocked,
            GateOutcome::Excused | GateOutcome::LoginTooOld => return,
        };
        let details = json!({ "method": method.as_str(), "action": question.action });
        self.audit.record(event, Some(&user.id), question.connection, details).await;
    }

    fn facts(&self, user: &User, question: &Question<'_>) -> Facts {
        let token = question.token.as_ref().map_or_else(TokenFacts::default, |token| TokenFacts {
            is_known: true,
            bypasses: token.bypasses_two_factor() && self.settings.get(&TOKENS_MAY_BYPASS),
            is_trusted: self.trusted.is_trusted(token, question.connection, question.requirement),
            is_in_grace: self.trusted.is_in_grace(user),
            is_recent: is_login(token) && self.is_recent(token.created_at),
            is_of_new_user: is_login(token) && self.trusted.is_in_grace(user) && self.is_recent(user.created_at),
        });
        Facts {
            is_enabled: self.settings.get(&TWO_FACTOR_ENABLED),
            has_totp: self.rules.has_totp(user),
            has_email: self.rules.has_email_codes(user),
            has_passkey: self.rules.has_passkey(user),
            has_password: user.password.is_some(),
            allows_password: self.settings.get(&PASSWORD_FALLBACK),
            token,
            preferred: question.preferred,
        }
    }

    fn is_recent(&self, time: Timestamp) -> bool {
        self.clock.now() < time.plus(RECENT)
    }

    async fn token_of(&self, connection: Option<&Connection>, user: &UserId) -> MethodResult<Option<LoginToken>> {
        let Some(credential) = connection.and_then(|connection| connection.identity().credential) else {
            return Ok(None);
        };
        let found = self.store.token(&HashedToken::from_base64(credential.hashed)).await?;
        Ok(found.filter(|token| token.user == *user))
    }

    async fn remember(&self, question: &Question<'_>) -> MethodResult<()> {
        match (&question.token, question.connection) {
            (Some(token), Some(connection)) if !question.requirement.is_remember_me_disabled() => {
                self.trusted.trust(token, connection).await
            }
            _ => Ok(()),
        }
    }

    /// Returns what the client is told of the factor. For codes by mail, one is sent unless there is a live one, or the
    /// client shows a passkey.
    async fn describe(&self, user: &User, facts: Facts, question: &Question<'_>) -> MethodResult<Value> {
        let mut details = plain_details(question.requirement, facts);
        if facts.has_passkey
            && let Some(request) = self.passkeys.request(user, question.as_action()).await?
        {
            details["webauthn"] = request;
        }
        let shows_passkey = facts.has_passkey && facts.preferred == Some(TwoFactorMethod::WebAuthn);
        if details["method"] != TwoFactorMethod::Email.as_str() || shows_passkey {
            return Ok(details);
        }
        let was_sent =
            self.email.send_unless_live(user, question.purpose, question.connection, question.action).await?;
        details["codeGenerated"] = was_sent.into();
        if let Some(name) = &question.shown_name {
            details["emailOrUsername"] = name.clone().into();
        }
        if !was_sent && let Some(end) = self.email.expires_at(&user.id, question.purpose).await? {
            details["codeExpires"] = end.to_date().to_iso_string().into();
        }
        Ok(details)
    }
}

/// Returns the code in the headers. On a session, both headers must be there, as in Rocket.Chat; a single request may
/// omit one.
fn header_code(connection: &Connection, is_wanted: bool) -> Option<(Option<String>, Option<String>)> {
    let peer = connection.peer();
    let shown = peer.header_code.as_ref().filter(|_| is_wanted)?;
    if connection.is_session() && (shown.code.is_none() || shown.method.is_none()) {
        return None;
    }
    Some((shown.code.clone(), shown.method.clone()))
}

/// Returns whether a code is the assertion of a passkey, which is an object in JSON. No other code begins so.
pub(super) fn is_assertion(code: &str) -> bool {
    code.starts_with('{')
}

/// Returns what every client understands. A passkey is one of the available methods, and never the one that is asked for:
/// clients that do not know it would not ask for anything.
fn plain_details(requirement: Requirement, facts: Facts) -> Value {
    let preferred = facts.preferred.filter(|method| *method != TwoFactorMethod::WebAuthn);
    let method = match decide(requirement, Facts { preferred, ..facts }) {
        Decision::Ask(method) => method,
        Decision::Admit | Decision::AskForLogin => TwoFactorMethod::Totp,
    };
    let available = [(facts.has_codes(), "totp"), (facts.has_email, "email"), (facts.has_passkey, "webauthn")];
    let available: Vec<&str> = available.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
    json!({ "method": method.as_str(), "codeGenerated": false, "availableMethods": available })
}

/// Returns whether the token is of a login, and not of an integration.
const fn is_login(token: &LoginToken) -> bool {
    matches!(token.kind, TokenKind::Session { .. })
}

fn login_is_too_old() -> MethodError {
    let reason = "Log in again first: you have neither a second factor nor a password that could be asked for";
    MethodError::new("error-recent-login-required", reason)
}

pub(super) fn refusal(error: &'static str, reason: &'static str, with: &Value) -> MethodError {
    DdpError::new(error, reason).with_details(with).into()
}
