//! Challenges: the second factor of a log-in that cannot be repeated, such as one by another service. The first factor was
//! shown to the application; what is left is kept for five minutes under an id that nobody can guess.

use std::time::Duration;

use bolide_protocol::random;
use bolide_protocol::two_factor::TwoFactorMethod;
use serde_json::json;

use super::check::factor_keys;
use super::email::MailAsker;
use crate::accounts::{AccountsCore, LoginResult, LoginSecret, Recognized};
use crate::call::{Connection, MethodError, MethodResult};
use crate::chance::Generator;
use crate::settings::TWO_FACTOR_ENABLED;
use crate::store::{Challenge, CodePurpose, FailureRule, User};
use crate::user::UserId;

const PURPOSE: &str = "challenge";
const LIFETIME: Duration = Duration::from_mins(5);

/// Wrong codes at one challenge. They count for the user as well.
const CHALLENGE_RULE: FailureRule =
    FailureRule { limit: 5, first_block: LIFETIME, longest_block: LIFETIME, forgotten_after: LIFETIME };

/// What becomes of a log-in whose first factor was shown elsewhere.
pub(crate) enum Begun {
    /// There is no second factor.
    LoggedIn(LoginResult),
    /// The code of this factor must be shown at the challenge of this id.
    Challenged { id: String, method: TwoFactorMethod },
}

impl AccountsCore {
    /// Logs in a user whom the application has recognized, or asks for the second factor.
    pub(crate) async fn begin_login(
        &self,
        id: &UserId,
        kind: &'static str,
        connection: Option<&Connection>,
    ) -> MethodResult<Begun> {
        let user = self.store.user(id).await?.filter(|user| user.is_active).ok_or_else(no_such_user)?;
        self.validate_external(&user, kind, connection).await?;
        let Some(method) = self.challenged_factor(&user) else {
            self.audit("login.succeeded", Some(&user.id), connection, json!({ "type": kind })).await;
            return Ok(Begun::LoggedIn(self.new_login(&Recognized { user, kind: kind.into() }, connection).await?));
        };
        let id = random::hex_string(&mut Generator(&*self.chance), 64);
        let now = self.now();
        let challenge = Challenge {
            hash: self.keys.hash(PURPOSE, "", &id),
            user: user.id.clone(),
            method: method.as_str().to_owned(),
            created_at: now,
            expires_at: now.plus(LIFETIME),
        };
        self.store.put_challenge(challenge).await?;
        if method == TwoFactorMethod::Email {
            self.send_code_unless_live(&user, CodePurpose::Login, connection, "login").await?;
        }
        self.audit("login.challenged", Some(&user.id), connection, json!({ "method": method.as_str() })).await;
        Ok(Begun::Challenged { id, method })
    }

    /// Mails another code to who must show one at a challenge.
    pub(crate) async fn send_challenge_code(&self, id: &str, connection: Option<&Connection>) -> MethodResult<()> {
        let challenge = self.live_challenge(id).await?;
        if challenge.method != TwoFactorMethod::Email.as_str() {
            return Err(MethodError::new("error-invalid-challenge-method", "Invalid challenge method"));
        }
        let user = self.challenged_user(&challenge).await?;
        self.send_new_code(&user, MailAsker::User, connection).await
    }

    /// Shows a code at a challenge, which ends with it. The client is trusted from then on, as after a call that was
    /// asked.
    pub(crate) async fn answer_challenge(
        &self,
        id: &str,
        code: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        let challenge = self.live_challenge(id).await?;
        let user = self.challenged_user(&challenge).await?;
        let (user_key, address_key) = factor_keys(&user.id, connection);
        let _one_at_a_time = self.locks.lock(&user_key).await;
        let method = TwoFactorMethod::parse(&challenge.method).unwrap_or(TwoFactorMethod::Totp);
        let details = || json!({ "method": method.as_str(), "action": "login" });
        if self.is_over_budget(&user_key, address_key.as_deref()).await? {
            self.store.take_challenge(&challenge.hash).await?;
            self.audit("two-factor.blocked", Some(&user.id), connection, details()).await;
            return Err(too_many());
        }
        if !self.verify(&user, method, CodePurpose::Login, code).await? {
            self.audit("two-factor.failed", Some(&user.id), connection, details()).await;
            let is_last =
                self.count_wrong_code(&user, (method, CodePurpose::Login), &user_key, address_key.as_deref()).await?;
            return Err(self.refuse_answer(&challenge, is_last).await?);
        }
        if !self.store.take_challenge(&challenge.hash).await? {
            return Err(not_found());
        }
        self.store.forget_failures(&user_key).await?;
        self.audit("two-factor.passed", Some(&user.id), connection, details()).await;
        let login = self.new_login(&Recognized { user, kind: "challenge".into() }, connection).await?;
        if let (Some(token), Some(connection)) =
            (self.store.token(&LoginSecret::from(login.token.clone()).hashed()).await?, connection)
        {
            self.trust(&token, connection).await?;
        }
        Ok(login)
    }

    /// E-mail first, as Rocket.Chat has it here. The password is no second factor at log-in.
    fn challenged_factor(&self, user: &User) -> Option<TwoFactorMethod> {
        if !self.settings.get(&TWO_FACTOR_ENABLED) {
            return None;
        }
        if self.has_email_codes(user) {
            return Some(TwoFactorMethod::Email);
        }
        self.has_totp(user).then_some(TwoFactorMethod::Totp)
    }

    async fn live_challenge(&self, id: &str) -> MethodResult<Challenge> {
        let found = self.store.challenge(&self.keys.hashes(PURPOSE, "", id)).await?.ok_or_else(not_found)?;
        if found.expires_at <= self.now() {
            return Err(MethodError::new("error-challenge-expired", "Challenge expired"));
        }
        Ok(found)
    }

    async fn challenged_user(&self, challenge: &Challenge) -> MethodResult<User> {
        let user = self.store.user(&challenge.user).await?;
        user.filter(|user| user.is_active).ok_or_else(no_such_user)
    }

    /// After the last wrong code the challenge ends.
    async fn refuse_answer(&self, challenge: &Challenge, is_last: bool) -> MethodResult<MethodError> {
        let key = format!("challenge:{}", challenge.hash.as_str());
        let counted = self.store.count_failure(&key, CHALLENGE_RULE, self.now()).await?;
        if !is_last && counted.failures < CHALLENGE_RULE.limit {
            return Ok(MethodError::new("error-invalid-code", "Invalid code"));
        }
        self.store.take_challenge(&challenge.hash).await?;
        Ok(too_many())
    }
}

fn too_many() -> MethodError {
    MethodError::new("totp-max-attempts", "TOTP Maximun Failed Attempts Reached")
}

fn not_found() -> MethodError {
    MethodError::new("error-challenge-not-found", "Challenge not found")
}

fn no_such_user() -> MethodError {
    MethodError::new("error-user-not-found", "User not found")
}
