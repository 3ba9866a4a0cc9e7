//! [`Challenges`]: the second factor of a login that the client cannot repeat, such as one by another service. The first
//! factor was shown to the application; the login is kept for five minutes under a secret id.

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::random;
use bolide_protocol::two_factor::TwoFactorMethod;
use serde_json::json;

use super::codes::{Checked, Codes, ShownFactor};
use super::email::EmailCodes;
use super::gate::is_assertion;
use super::passkeys::{Action, PasskeyFactor};
use super::trust::TrustedClients;
use crate::accounts::{
    Audit, BegunChallenge, CounterKey, Counters, FactorRules, Foundation, Hooks, LONGEST_SECRET, LoginAttempt,
    LoginResult, LoginSecret, MailBudget, Tokens, Users,
};
use crate::call::{Connection, MethodError, MethodResult};
use crate::chance::{Chance, Generator};
use crate::clock::Clock;
use crate::keys::KeyRing;
use crate::settings::{Settings, TWO_FACTOR_ENABLED};
use crate::store::{AuditEvent, Challenge, CodePurpose, FailureRule, KeyedHash, Store, User};

const PURPOSE: &str = "challenge";

/// The kind of the logins.
const KIND: &str = "challenge";

const LIFETIME: Duration = Duration::from_mins(5);

/// Wrong codes at one challenge. They count for the user as well.
const RULE: FailureRule =
    FailureRule { limit: 5, first_block: LIFETIME, longest_block: LIFETIME, forgotten_after: LIFETIME };

/// Begins challenges, and logs in those who answer one.
pub(crate) struct Challenges {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    counters: Arc<Counters>,
    rules: Arc<FactorRules>,
    users: Arc<Users>,
    tokens: Arc<Tokens>,
    codes: Arc<Codes>,
    email: Arc<EmailCodes>,
    passkeys: Arc<PasskeyFactor>,
    trusted: Arc<TrustedClients>,
    audit: Arc<Audit>,
    hooks: Arc<Hooks>,
}

impl Challenges {
    pub(super) fn new(
        accounts: &Foundation,
        codes: &Arc<Codes>,
        (email, passkeys): (&Arc<EmailCodes>, &Arc<PasskeyFactor>),
        trusted: &Arc<TrustedClients>,
    ) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            keys: Arc::clone(&accounts.keys),
            settings: accounts.settings.clone(),
            clock: Arc::clone(&accounts.clock),
            chance: Arc::clone(&accounts.chance),
            counters: Arc::clone(&accounts.counters),
            rules: Arc::clone(&accounts.rules),
            users: Arc::clone(&accounts.users),
            tokens: Arc::clone(&accounts.tokens),
            codes: Arc::clone(codes),
            email: Arc::clone(email),
            passkeys: Arc::clone(passkeys),
            trusted: Arc::clone(trusted),
            audit: Arc::clone(&accounts.audit),
            hooks: Arc::clone(&accounts.hooks),
        }
    }

    /// Begins a challenge for a user who has a second factor. `None` if the user has none.
    pub(super) async fn begin(
        &self,
        user: &User,
        connection: Option<&Connection>,
    ) -> MethodResult<Option<BegunChallenge>> {
        let Some(method) = self.factor_of(user) else { return Ok(None) };
        let id = random::hex_string(&mut Generator(&*self.chance), 64);
        let now = self.clock.now();
        let hash = self.keys.hash(PURPOSE, "", &id);
        let challenge = Challenge {
            hash: hash.clone(),
            user: user.id.clone(),
            method: method.as_str().to_owned(),
            created_at: now,
            expires_at: now.plus(LIFETIME),
        };
        self.store.put_challenge(challenge).await?;
        if method == TwoFactorMethod::Email {
            self.email.send_unless_live(user, CodePurpose::Login, connection, "login").await?;
        }
        let details = json!({ "method": method.as_str() });
        self.audit.record(AuditEvent::LoginChallenged, Some(&user.id), connection, details).await;
        let webauthn = if self.rules.has_passkey(user) {
            self.passkeys.request(user, Action { name: &action_of(&hash), session: None }).await?
        } else {
            None
        };
        Ok(Some(BegunChallenge { id, method, webauthn }))
    }

    /// Sends another code by mail for a challenge.
    ///
    /// # Errors
    /// `error-challenge-not-found`, `error-challenge-expired`, or `error-invalid-challenge-method` if the challenge is
    /// not for a code by mail.
    pub(crate) async fn send_code(&self, id: &str, connection: Option<&Connection>) -> MethodResult<()> {
        let challenge = self.live(id).await?;
        if challenge.method != TwoFactorMethod::Email.as_str() {
            return Err(MethodError::new("error-invalid-challenge-method", "Invalid challenge method"));
        }
        let user = self.user_of(&challenge).await?;
        self.email.send_new(&user, MailBudget::User, connection).await
    }

    /// Answers a challenge with a code, which ends the challenge and logs the user in. The client is trusted from then
    /// on, as after a gated call.
    ///
    /// # Errors
    /// `error-invalid-code` for a wrong code, `totp-max-attempts` after too many of them, which ends the challenge.
    pub(crate) async fn answer(
        &self,
        id: &str,
        code: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        let challenge = self.live(id).await?;
        let user = self.user_of(&challenge).await?;
        let outcome = self.check_answer(&challenge, &user, code, connection).await;
        self.hooks.tell(LoginAttempt::of_user(KIND, &user, connection), outcome).await
    }

    async fn check_answer(
        &self,
        challenge: &Challenge,
        user: &User,
        code: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        let shows_passkey = is_assertion(code) && self.rules.has_passkey(user);
        let asked = TwoFactorMethod::parse(&challenge.method).unwrap_or(TwoFactorMethod::Totp);
        let method = if shows_passkey { TwoFactorMethod::WebAuthn } else { asked };
        let action = action_of(&challenge.hash);
        let action = Action { name: &action, session: None };
        let shown = ShownFactor { method, code, purpose: CodePurpose::Login, action };
        let key = CounterKey::challenge(challenge.hash.as_str());
        let (Some(answer), Some(counted)) =
            (self.counters.count(key, RULE).await?, self.codes.begin(&user.id, connection).await?)
        else {
            self.store.take_challenge(&challenge.hash).await?;
            self.record(AuditEvent::TwoFactorBlocked, user, method, connection).await;
            return Err(too_many());
        };
        if let Checked::Wrong { is_last } = self.codes.check(counted, user, shown, connection).await? {
            self.record(AuditEvent::TwoFactorFailed, user, method, connection).await;
            if is_last || answer.is_last() {
                // An answer that is checked at the same time may be right. If it is not, the next one ends the challenge.
                if answer.is_alone() {
                    self.store.take_challenge(&challenge.hash).await?;
                }
                return Err(too_many());
            }
            return Err(MethodError::new("error-invalid-code", "Invalid code"));
        }
        if !self.store.take_challenge(&challenge.hash).await? {
            return Err(not_found());
        }
        self.record(AuditEvent::TwoFactorPassed, user, method, connection).await;
        let login = self.tokens.issue(user, &LoginAttempt::of_user(KIND, user, connection)).await?;
        let token = self.store.token(&LoginSecret::from(login.token.clone()).hashed()).await?;
        if let (Some(token), Some(connection)) = (token, connection) {
            self.trusted.trust(&token, connection).await?;
        }
        Ok(login)
    }

    async fn record(&self, event: AuditEvent, user: &User, method: TwoFactorMethod, connection: Option<&Connection>) {
        let details = json!({ "method": method.as_str(), "action": "login" });
        self.audit.record(event, Some(&user.id), connection, details).await;
    }

    /// Returns the factor to ask for: codes by mail first, as in Rocket.Chat. The password is not a second factor at
    /// login.
    fn factor_of(&self, user: &User) -> Option<TwoFactorMethod> {
        if !self.settings.get(&TWO_FACTOR_ENABLED) {
            return None;
        }
        if self.rules.has_email_codes(user) {
            return Some(TwoFactorMethod::Email);
        }
        // Of who has a passkey alone, a backup code.
        (self.rules.has_totp(user) || self.rules.has_passkey(user)).then_some(TwoFactorMethod::Totp)
    }

    async fn live(&self, id: &str) -> MethodResult<Challenge> {
        if id.len() > LONGEST_SECRET {
            return Err(not_found());
        }
        let found = self.store.challenge(&self.keys.hashes(PURPOSE, "", id)).await?.ok_or_else(not_found)?;
        if found.expires_at <= self.clock.now() {
            return Err(MethodError::new("error-challenge-expired", "Challenge expired"));
        }
        Ok(found)
    }

    async fn user_of(&self, challenge: &Challenge) -> MethodResult<User> {
        let no_such_user = || MethodError::new("error-user-not-found", "User not found");
        self.users.active(&challenge.user).await?.ok_or_else(no_such_user)
    }
}

/// Returns the action for which a passkey answers a challenge: this challenge alone.
fn action_of(hash: &KeyedHash) -> String {
    format!("challenge:{}", hash.as_str())
}

fn too_many() -> MethodError {
    MethodError::new("totp-max-attempts", "TOTP Maximun Failed Attempts Reached")
}

fn not_found() -> MethodError {
    MethodError::new("error-challenge-not-found", "Challenge not found")
}
