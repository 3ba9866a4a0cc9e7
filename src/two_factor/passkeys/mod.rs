//! [`PasskeyFactor`]: passkeys as second factors, and as logins of their own.
//!
//! - `challenge`: what authenticators sign;
//! - `owner`: adds, renames and removes the passkeys of a user;
//! - `methods`: the methods for that.
//!
//! What an answer of an authenticator must be like is decided by the room `webauthn`.

mod challenge;
mod methods;
mod owner;

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::accounts::{Audit, Foundation, RelyingParty};
use crate::call::{Connection, MethodError, MethodResult};
use crate::clock::Clock;
use crate::settings::{PASSKEY_LOGIN, PASSKEYS_ENABLED, Settings};
use crate::store::{AuditEvent, HashedToken, Passkey, PasskeyUse, PasskeyUsed, Store, User};
use crate::user::UserId;
use crate::webauthn::{Assertion, Expected, Mistake, UserVerification};
use challenge::{LIFETIME, Occasion, PasskeyChallenges};

pub(super) use methods::register;
pub(super) use owner::PasskeyOwner;

/// The maximum number of passkeys of a user.
pub(super) const MOST_PASSKEYS: u32 = 20;

/// What a passkey is shown for as a second factor.
#[derive(Clone, Copy)]
pub(super) struct Action<'call> {
    /// The method, the endpoint, or `login`.
    pub(super) name: &'call str,
    /// The login token of the caller. `None` at login.
    pub(super) session: Option<&'call HashedToken>,
}

/// Requests assertions and checks them.
pub(super) struct PasskeyFactor {
    store: Arc<dyn Store>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    /// `None` if the address of the site cannot have passkeys.
    site: Option<RelyingParty>,
    challenges: Arc<PasskeyChallenges>,
    audit: Arc<Audit>,
}

/// An assertion whose challenge and passkey were recognized.
struct Recognized {
    passkey: Passkey,
    assertion: Assertion,
    challenge: crate::store::UsedChallenge,
}

impl PasskeyFactor {
    pub(super) fn new(accounts: &Foundation) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            settings: accounts.settings.clone(),
            clock: Arc::clone(&accounts.clock),
            site: accounts.relying_party.clone(),
            challenges: Arc::new(PasskeyChallenges::new(accounts)),
            audit: Arc::clone(&accounts.audit),
        }
    }

    /// Returns what `navigator.credentials.get` needs, in its JSON form. `None` if the user cannot show a passkey.
    pub(super) async fn request(&self, user: &User, action: Action<'_>) -> MethodResult<Option<Value>> {
        let Some(site) = self.site.as_ref().filter(|_| user.passkeys > 0) else { return Ok(None) };
        let allowed = self.store.passkeys_of(&user.id).await?;
        let challenge = self.challenges.make(&Occasion::Factor { user, action: action.name, session: action.session });
        Ok(Some(request(site, &challenge, &allowed, UserVerification::Preferred)))
    }

    /// Returns the same for a login without anything else. The authenticator knows the user.
    ///
    /// # Errors
    /// `error-passkeys-disabled` or `error-passkeys-unavailable`.
    pub(super) fn request_login(&self) -> MethodResult<Value> {
        let site = self.usable()?;
        if !self.settings.get(&PASSKEY_LOGIN) {
            let reason = format!("Logins with a passkey alone are turned off by the setting {}", PASSKEY_LOGIN.id());
            return Err(MethodError::new("error-passkeys-disabled", reason));
        }
        Ok(request(site, &self.challenges.make(&Occasion::Login), &[], UserVerification::Required))
    }

    /// Checks an assertion that is shown as a second factor, and uses it up.
    pub(super) async fn verify(
        &self,
        user: &User,
        assertion: &str,
        action: Action<'_>,
        connection: Option<&Connection>,
    ) -> MethodResult<bool> {
        let occasion = Occasion::Factor { user, action: action.name, session: action.session };
        let recognized = self.recognize(assertion, &occasion).await?;
        let outcome = match recognized {
            Ok(recognized) if recognized.is_of(&user.id) => {
                self.accept(recognized, UserVerification::Preferred, connection).await?
            }
            Ok(_) => Err(Mistake::Id),
            Err(mistake) => Err(mistake),
        };
        Ok(is_right(outcome, Some(&user.id)))
    }

    /// Checks an assertion that is the whole login, and uses it up. Returns the user, who may not be active. `None` if the
    /// assertion is wrong, or such logins are turned off.
    pub(super) async fn verify_login(
        &self,
        assertion: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<Option<User>> {
        if self.usable().is_err() || !self.settings.get(&PASSKEY_LOGIN) {
            return Ok(None);
        }
        let outcome = match self.recognize(assertion, &Occasion::Login).await? {
            // Here it is the authenticator that says which user it is.
            Ok(recognized) if recognized.assertion.user().is_some() => {
                let user = recognized.passkey.user.clone();
                if !recognized.is_of(&user) {
                    let _wrong = is_right(Err(Mistake::Id), Some(&user));
                    return Ok(None);
                }
                // Read before the passkey is used: if it is removed meanwhile, the login sees that the user has changed.
                let then = self.store.user(&user).await?;
                let outcome = self.accept(recognized, UserVerification::Required, connection).await?;
                return Ok(then.filter(|_| is_right(outcome, Some(&user))));
            }
            Ok(_) => Err(Mistake::Id),
            Err(mistake) => Err(mistake),
        };
        let _wrong = is_right(outcome, None);
        Ok(None)
    }

    async fn recognize(&self, text: &str, occasion: &Occasion<'_>) -> MethodResult<Result<Recognized, Mistake>> {
        let assertion = match Assertion::read(text) {
            Ok(assertion) => assertion,
            Err(mistake) => return Ok(Err(mistake)),
        };
        let Some(challenge) = self.challenges.recognize(assertion.challenge(), occasion) else {
            return Ok(Err(Mistake::Challenge));
        };
        let found = self.store.passkey(assertion.id()).await?;
        Ok(found.map(|passkey| Recognized { passkey, assertion, challenge }).ok_or(Mistake::Id))
    }

    /// Checks the signature, and uses the challenge up.
    async fn accept(
        &self,
        Recognized { passkey, assertion, challenge }: Recognized,
        verification: UserVerification,
        connection: Option<&Connection>,
    ) -> MethodResult<Result<(), Mistake>> {
        let Some(site) = &self.site else { return Ok(Err(Mistake::RelyingParty)) };
        let expected = Expected {
            site,
            public_key: &passkey.public_key,
            is_backup_eligible: passkey.is_backup_eligible,
            verification,
        };
        let shown = match assertion.check(&expected) {
            Ok(shown) => shown,
            Err(mistake) => return Ok(Err(mistake)),
        };
        let at = self.clock.now();
        let owned = (passkey.user.clone(), passkey.id);
        let used = PasskeyUse::new(owned, shown.counter, shown.is_backed_up, challenge, at);
        Ok(match self.store.use_passkey(used).await? {
            PasskeyUsed::Accepted => Ok(()),
            PasskeyUsed::ChallengeUsed => Err(Mistake::Challenge),
            PasskeyUsed::Unknown => Err(Mistake::Id),
            PasskeyUsed::CounterTooLow => {
                let details = json!({ "name": passkey.name, "counter": shown.counter, "known": passkey.counter });
                self.audit.record(AuditEvent::PasskeyCloned, Some(&passkey.user), connection, details).await;
                Err(Mistake::Counter)
            }
        })
    }

    /// Returns the site, if passkeys can be registered and used.
    ///
    /// # Errors
    /// `error-passkeys-disabled` or `error-passkeys-unavailable`.
    fn usable(&self) -> MethodResult<&RelyingParty> {
        if !self.settings.get(&PASSKEYS_ENABLED) {
            let reason = format!("Passkeys are turned off by the setting {}", PASSKEYS_ENABLED.id());
            return Err(MethodError::new("error-passkeys-disabled", reason));
        }
        self.site.as_ref().ok_or_else(|| {
            let reason = "Passkeys need a site with a domain and https (or localhost); set its address with --root-url";
            MethodError::new("error-passkeys-unavailable", reason)
        })
    }
}

impl Recognized {
    /// Returns whether the passkey is this user's, and the authenticator says nothing else.
    fn is_of(&self, user: &UserId) -> bool {
        self.passkey.user == *user && self.assertion.user().is_none_or(|handle| handle == user_handle(user))
    }
}

/// Returns what an authenticator knows of a user. It says nothing about the user, and is always the same.
fn user_handle(user: &UserId) -> [u8; 32] {
    Sha256::new().chain_update("bolide: passkeys of ").chain_update(user.as_str()).finalize().into()
}

fn request(site: &RelyingParty, challenge: &str, allowed: &[Passkey], verification: UserVerification) -> Value {
    json!({
        "challenge": challenge,
        "timeout": milliseconds(),
        "rpId": site.id(),
        "allowCredentials": allowed.iter().map(descriptor).collect::<Vec<_>>(),
        "userVerification": verification.as_str(),
    })
}

fn descriptor(passkey: &Passkey) -> Value {
    json!({ "type": "public-key", "id": passkey.id, "transports": passkey.transports })
}

fn milliseconds() -> u64 {
    LIFETIME.as_secs() * 1000
}

/// Logs why an assertion is wrong, which clients are not told.
fn is_right(outcome: Result<(), Mistake>, user: Option<&UserId>) -> bool {
    if let Err(mistake) = &outcome {
        tracing::info!(target: "bolide::audit", user = user.map(UserId::as_str), "a passkey is refused: {mistake}");
    }
    outcome.is_ok()
}

/// Returns the handle of a user as authenticators are given it.
fn encoded_handle(user: &UserId) -> String {
    BASE64URL_NOPAD.encode(&user_handle(user))
}
