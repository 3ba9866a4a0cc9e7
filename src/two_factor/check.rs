//! What the gate does with its decision: it looks up what the decision depends on, verifies a code, counts what fails, and
//! remembers who passed. Every change is one conditional write.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::DdpError;
use bolide_protocol::two_factor::TwoFactorMethod;
use serde_json::{Value, json};

use super::decision::{Decision, Facts, TokenFacts, decide};
use crate::accounts::password::{Password, PasswordHash, Verification};
use crate::accounts::{AccountsCore, counted_address};
use crate::call::{
    AccessRequest, Connection, Gate, GateFuture, GatedCall, MethodError, MethodResult, Requirement, sanitize,
};
use crate::settings;
use crate::store::{CodePurpose, FailureRule, Fingerprint, HashedToken, LoginToken, Totp, Trust, User};
use crate::user::UserId;

/// Wrong codes of one user, whatever the factor and the door: ten, then a growing delay.
const USER_RULE: FailureRule = FailureRule {
    limit: 10,
    first_block: Duration::from_secs(30),
    longest_block: Duration::from_hours(12),
    forgotten_after: Duration::from_hours(24),
};

/// Wrong codes from one address.
const ADDRESS_RULE: FailureRule = FailureRule {
    limit: 100,
    first_block: Duration::from_mins(5),
    longest_block: Duration::from_hours(1),
    forgotten_after: Duration::from_hours(1),
};

/// The gate of an app with accounts.
pub(crate) struct AccountsGate(pub(crate) Arc<AccountsCore>);

impl Gate for AccountsGate {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        Box::pin(async move {
            let outcome = self.0.check_call(call).await;
            outcome.map_err(|error| sanitize(error, "gate", call.method, &self.0.random_id()))
        })
    }

    fn restricts_users(&self) -> bool {
        self.0.roles_demand_factor()
    }

    fn check_user<'call>(&'call self, request: AccessRequest<'call>) -> GateFuture<'call> {
        Box::pin(async move {
            let outcome = self.0.check_access(request).await;
            outcome.map_err(|error| sanitize(error, "gate", request.name, &self.0.random_id()))
        })
    }
}

/// One question of whether somebody may go on.
struct Question<'call> {
    requirement: Requirement,
    code: Option<&'call str>,
    preferred: Option<TwoFactorMethod>,
    connection: Option<&'call Connection>,
    /// The login token; nothing at log-in.
    token: Option<LoginToken>,
    action: &'call str,
    purpose: CodePurpose,
    /// How the user is named to the client.
    shown_name: Option<String>,
}

impl AccountsCore {
    async fn check_call(&self, call: GatedCall<'_>) -> MethodResult<()> {
        let user = self.store.user(call.user).await?;
        let user = user.ok_or_else(|| DdpError::new("totp-user-not-found", "TOTP User not found"))?;
        let from_header = call.connection.and_then(|connection| header_code(connection, call.code.is_none()));
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

    /// The question at log-in: no token excuses, and the password is no second factor.
    pub(crate) async fn check_at_login(
        &self,
        user: &User,
        requirement: Requirement,
        code: Option<&str>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let shown_name = user.username.clone().or_else(|| user.verified_addresses().next().map(str::to_owned));
        let question = Question {
            requirement,
            code,
            preferred: None,
            connection,
            token: None,
            action: "login",
            purpose: CodePurpose::Login,
            shown_name,
        };
        self.ask(user, question).await
    }

    async fn ask(&self, user: &User, question: Question<'_>) -> MethodResult<()> {
        let facts = self.facts(user, &question);
        let Decision::Ask(method) = decide(question.requirement, facts) else { return Ok(()) };
        let Some(code) = question.code else {
            let details = self.challenge(user, method, facts, &question).await?;
            self.audit(
                "two-factor.asked",
                Some(&user.id),
                question.connection,
                json!({ "method": method.as_str(), "action": question.action }),
            )
            .await;
            return Err(refusal("totp-required", "TOTP Required", &details));
        };
        let (user_key, address_key) = factor_keys(&user.id, question.connection);
        let _one_at_a_time = self.locks.lock(&user_key).await;
        if self.is_over_budget(&user_key, address_key.as_deref()).await? {
            self.audit(
                "two-factor.blocked",
                Some(&user.id),
                question.connection,
                json!({ "method": method.as_str(), "action": question.action }),
            )
            .await;
            let details = plain_details(method, facts);
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        }
        if self.verify(user, method, question.purpose, code).await? {
            self.store.forget_failures(&user_key).await?;
            self.audit(
                "two-factor.passed",
                Some(&user.id),
                question.connection,
                json!({ "method": method.as_str(), "action": question.action }),
            )
            .await;
            return self.remember(&question).await;
        }
        self.audit(
            "two-factor.failed",
            Some(&user.id),
            question.connection,
            json!({ "method": method.as_str(), "action": question.action }),
        )
        .await;
        let is_last =
            self.count_wrong_code(user, (method, question.purpose), &user_key, address_key.as_deref()).await?;
        if is_last {
            let details = plain_details(method, facts);
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        }
        let details = self.challenge(user, method, facts, &question).await?;
        Err(refusal("totp-invalid", "TOTP Invalid", &details))
    }

    fn facts(&self, user: &User, question: &Question<'_>) -> Facts {
        let remember = self.remember_for();
        let token = question.token.as_ref().map_or_else(TokenFacts::default, |token| TokenFacts {
            is_known: true,
            bypasses: token.bypasses_two_factor() && self.settings.get(&settings::TOKENS_MAY_BYPASS),
            is_trusted: self.is_trusted(token, question),
            is_in_grace: !remember.is_zero() && self.now() <= user.created_at.plus(remember),
        });
        Facts {
            is_enabled: self.settings.get(&settings::TWO_FACTOR_ENABLED),
            has_totp: self.has_totp(user),
            has_email: self.has_email_codes(user),
            has_password: user.password.is_some(),
            allows_password: self.settings.get(&settings::PASSWORD_FALLBACK),
            token,
            preferred: question.preferred,
        }
    }

    pub(crate) fn has_second_factor(&self, user: &User) -> bool {
        self.settings.get(&settings::TWO_FACTOR_ENABLED) && (self.has_totp(user) || self.has_email_codes(user))
    }

    pub(super) fn has_totp(&self, user: &User) -> bool {
        self.settings.get(&settings::TOTP_ENABLED) && matches!(user.totp, Totp::On(_))
    }

    pub(super) fn has_email_codes(&self, user: &User) -> bool {
        let is_foreign = user.password.is_none() && user.fields.contains_key("services");
        self.settings.get(&settings::EMAIL_CODES_ENABLED)
            && user.has_email_codes
            && user.verified_addresses().next().is_some()
            && (!is_foreign || self.settings.get(&settings::EMAIL_CODES_FOR_OAUTH_USERS))
    }

    fn is_trusted(&self, token: &LoginToken, question: &Question<'_>) -> bool {
        let (Some(trust), Some(connection)) = (&token.trust, question.connection) else { return false };
        let now = self.now();
        let oldest = question.requirement.maximum_age();
        let is_fresh = oldest.is_none_or(|age| now <= trust.since.plus(age));
        now <= trust.until && is_fresh && self.fingerprints(token, connection).contains(&trust.fingerprint)
    }

    fn fingerprints(&self, token: &LoginToken, connection: &Connection) -> Vec<Fingerprint> {
        let peer = connection.peer();
        let client = json!([peer.header("user-agent"), peer.address]).to_string();
        let hashes = self.keys.hashes("trust", token.hashed.as_str(), &client);
        hashes.into_iter().map(|hash| Fingerprint(hash.as_str().as_bytes().to_vec())).collect()
    }

    async fn token_of(&self, connection: Option<&Connection>, user: &UserId) -> MethodResult<Option<LoginToken>> {
        let Some(credential) = connection.and_then(|connection| connection.identity().credential) else {
            return Ok(None);
        };
        let found = self.store.token(&HashedToken::from_base64(credential.hashed)).await?;
        Ok(found.filter(|token| token.user == *user))
    }

    fn remember_for(&self) -> Duration {
        Duration::from_secs(self.settings.get(&settings::REMEMBER_FOR).try_into().unwrap_or(0))
    }

    async fn remember(&self, question: &Question<'_>) -> MethodResult<()> {
        match (&question.token, question.connection) {
            (Some(token), Some(connection)) if !question.requirement.is_remember_me_disabled() => {
                self.trust(token, connection).await
            }
            _ => Ok(()),
        }
    }

    /// Marks a token: with it, this client has shown a second factor.
    pub(super) async fn trust(&self, token: &LoginToken, connection: &Connection) -> MethodResult<()> {
        let remember = self.remember_for();
        if remember.is_zero() {
            return Ok(());
        }
        let Some(fingerprint) = self.fingerprints(token, connection).into_iter().next() else { return Ok(()) };
        let since = self.now();
        self.store.trust_token(&token.hashed, Trust { since, until: since.plus(remember), fingerprint }).await?;
        Ok(())
    }

    pub(super) async fn is_over_budget(&self, user_key: &str, address_key: Option<&str>) -> MethodResult<bool> {
        let now = self.now();
        if self.store.attempts(user_key).await?.is_blocked(now) {
            return Ok(true);
        }
        match address_key {
            Some(key) => Ok(self.store.attempts(key).await?.is_blocked(now)),
            None => Ok(false),
        }
    }

    /// Counts a wrong code; says whether it was the last that is listened to.
    pub(super) async fn count_wrong_code(
        &self,
        user: &User,
        (method, purpose): (TwoFactorMethod, CodePurpose),
        user_key: &str,
        address_key: Option<&str>,
    ) -> MethodResult<bool> {
        let now = self.now();
        if let Some(key) = address_key {
            self.store.count_failure(key, ADDRESS_RULE, now).await?;
        }
        let counted = self.store.count_failure(user_key, USER_RULE, now).await?;
        let mut is_last = counted.failures >= USER_RULE.limit;
        if method == TwoFactorMethod::Email {
            is_last |= self.count_wrong_email_code(&user.id, purpose).await?;
        }
        Ok(is_last)
    }

    /// One code of one factor, under the shared budget: for methods that take a code as a parameter.
    pub(crate) async fn verify_counted(
        &self,
        user: &User,
        code: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<bool> {
        let (user_key, address_key) = factor_keys(&user.id, connection);
        let _one_at_a_time = self.locks.lock(&user_key).await;
        if self.is_over_budget(&user_key, address_key.as_deref()).await? {
            let details = json!({ "method": "totp", "codeGenerated": false, "availableMethods": ["totp"] });
            return Err(refusal("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", &details));
        }
        if self.verify(user, TwoFactorMethod::Totp, CodePurpose::Call, code).await? {
            self.store.forget_failures(&user_key).await?;
            return Ok(true);
        }
        self.audit("two-factor.failed", Some(&user.id), connection, json!({ "method": "totp" })).await;
        self.count_wrong_code(user, (TwoFactorMethod::Totp, CodePurpose::Call), &user_key, address_key.as_deref())
            .await?;
        Ok(false)
    }

    pub(super) async fn verify(
        &self,
        user: &User,
        method: TwoFactorMethod,
        purpose: CodePurpose,
        code: &str,
    ) -> MethodResult<bool> {
        match method {
            TwoFactorMethod::Totp => self.verify_totp(user, code).await,
            TwoFactorMethod::Email => self.take_email_code(&user.id, purpose, code).await,
            TwoFactorMethod::Password => {
                let Some(password) = Password::from_digest(code) else { return Ok(false) };
                let stored = user.password.as_ref().and_then(|hash| hash.as_str().parse::<PasswordHash>().ok());
                Ok(self.hasher.verify(&password, stored.as_ref()).await != Verification::Wrong)
            }
        }
    }

    /// What the client is told with the question; a code may be on its way by mail afterwards.
    async fn challenge(
        &self,
        user: &User,
        method: TwoFactorMethod,
        facts: Facts,
        question: &Question<'_>,
    ) -> MethodResult<Value> {
        let mut details = plain_details(method, facts);
        if method != TwoFactorMethod::Email {
            return Ok(details);
        }
        let was_sent = self.send_code_unless_live(user, question.purpose, question.connection, question.action).await?;
        details["codeGenerated"] = was_sent.into();
        if let Some(name) = &question.shown_name {
            details["emailOrUsername"] = name.clone().into();
        }
        if !was_sent && let Some(end) = self.email_code_expires_at(&user.id, question.purpose).await? {
            details["codeExpires"] = end.to_date().to_iso_string().into();
        }
        Ok(details)
    }
}

/// The code in the headers. On a session, both must be there, as in Rocket.Chat; a single request may leave one out.
fn header_code(connection: &Connection, is_wanted: bool) -> Option<(Option<String>, Option<String>)> {
    let peer = connection.peer();
    let shown = peer.header_code.as_ref().filter(|_| is_wanted)?;
    if connection.is_session() && (shown.code.is_none() || shown.method.is_none()) {
        return None;
    }
    Some((shown.code.clone(), shown.method.clone()))
}

/// Under which names wrong codes are counted: for the user, and for the address.
pub(super) fn factor_keys(user: &UserId, connection: Option<&Connection>) -> (String, Option<String>) {
    let address = connection.map(counted_address);
    (format!("factor:user:{user}"), address.map(|own| format!("factor:address:{own}")))
}

fn plain_details(method: TwoFactorMethod, facts: Facts) -> Value {
    let available = [(facts.has_totp, "totp"), (facts.has_email, "email")];
    let available: Vec<&str> = available.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
    json!({ "method": method.as_str(), "codeGenerated": false, "availableMethods": available })
}

fn refusal(error: &'static str, reason: &'static str, with: &Value) -> MethodError {
    DdpError::new(error, reason).with_details(with).into()
}
