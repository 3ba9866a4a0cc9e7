//! [`PasskeyChallenges`]: what authenticators sign. A challenge carries its expiry and a keyed hash that binds it to what it
//! is for, so that the server keeps none until one is answered: any node can check it, and strangers can request any number.
//! The store keeps those that were answered, so each counts once.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::accounts::Foundation;
use crate::chance::Chance;
use crate::clock::{Clock, Timestamp};
use crate::keys::KeyRing;
use crate::store::{HashedToken, Totp, UsedChallenge, User};

const PURPOSE: &str = "passkey-challenge";

/// How long a challenge can be answered.
pub(super) const LIFETIME: Duration = Duration::from_mins(5);

const NONCE_BYTES: usize = 16;

/// What a challenge is for. An answer counts for exactly the same.
pub(super) enum Occasion<'call> {
    /// Registering a passkey, by the login that has begun to.
    Registration { user: &'call User, session: Option<&'call HashedToken> },
    /// Showing a second factor for an action: a method, an endpoint or a login.
    Factor { user: &'call User, action: &'call str, session: Option<&'call HashedToken> },
    /// Logging in without anything else.
    Login,
}

/// Makes challenges and recognizes them.
pub(super) struct PasskeyChallenges {
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl PasskeyChallenges {
    pub(super) fn new(accounts: &Foundation) -> Self {
        Self {
            keys: Arc::clone(&accounts.keys),
            clock: Arc::clone(&accounts.clock),
            chance: Arc::clone(&accounts.chance),
        }
    }

    /// Returns a challenge in base64url.
    pub(super) fn make(&self, occasion: &Occasion<'_>) -> String {
        let mut random = [0; NONCE_BYTES];
        self.chance.fill(&mut random);
        let expires_at = self.clock.now().plus(LIFETIME).milliseconds();
        let mut challenge = [random.as_slice(), &expires_at.to_be_bytes()].concat();
        let hash = self.keys.hash(PURPOSE, &occasion.binding(), &HEXLOWER.encode(&challenge));
        challenge.extend_from_slice(hash.as_str().as_bytes());
        BASE64URL_NOPAD.encode(&challenge)
    }

    /// Returns the challenge as it is used up. `None` if this server has not made it for this, or it has expired.
    pub(super) fn recognize(&self, challenge: &str, occasion: &Occasion<'_>) -> Option<UsedChallenge> {
        let bytes = BASE64URL_NOPAD.decode(challenge.as_bytes()).ok()?;
        let (signed, hash) = bytes.split_at_checked(NONCE_BYTES + size_of::<i64>())?;
        let expires_at = i64::from_be_bytes(signed[NONCE_BYTES..].try_into().ok()?);
        let right = self.keys.hashes(PURPOSE, &occasion.binding(), &HEXLOWER.encode(signed));
        let right = right.into_iter().find(|right| right.as_str().as_bytes().ct_eq(hash).into())?;
        let expires_at = Timestamp::from_milliseconds(expires_at);
        // It is remembered for longer than it counts: the clock of the node that forgets it may be ahead.
        (self.clock.now() < expires_at).then(|| UsedChallenge::new(right, expires_at.plus(LIFETIME)))
    }
}

impl Occasion<'_> {
    /// Returns what the hash of a challenge depends on. A new password ends the challenges of the time before; any change of
    /// what protects the account ends a registration that was begun.
    fn binding(&self) -> String {
        let session = |session: Option<&HashedToken>| session.map(|token| token.as_str().to_owned());
        let password = |user: &User| user.password.as_ref().map(|hash| hash.as_str().to_owned());
        match self {
            Self::Registration { user, session: own } => {
                let addresses: Vec<&str> = user.emails.iter().map(|email| email.address.as_str()).collect();
                let factors = json!([matches!(user.totp, Totp::On(_)), user.has_email_codes, user.passkeys]);
                json!(["registration", user.id, session(*own), password(user), addresses, factors])
            }
            Self::Factor { user, action, session: own } => {
                json!(["factor", user.id, session(*own), password(user), action])
            }
            Self::Login => json!(["login"]),
        }
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SystemChance;
    use crate::clock::MovableClock;
    use crate::store::StoredHash;

    #[test]
    fn a_challenge_is_recognized_for_exactly_what_it_was_made_for_until_it_expires() {
        let clock = MovableClock::default();
        let keys = Arc::new(KeyRing::generate(&SystemChance));
        let challenges = PasskeyChallenges { keys, clock: Arc::new(clock.clone()), chance: Arc::new(SystemChance) };
        let [ada, bob] = ["ada", "bob"].map(|id| User::new(id.into(), clock.now()));
        let changed = User { password: Some(StoredHash::new("another")), ..ada.clone() };
        let [one, two] = ["one", "two"].map(HashedToken::from_base64);
        let occasions = [
            Occasion::Factor { user: &ada, action: "a", session: Some(&one) },
            Occasion::Factor { user: &bob, action: "a", session: Some(&one) },
            Occasion::Factor { user: &changed, action: "a", session: Some(&one) },
            Occasion::Factor { user: &ada, action: "b", session: Some(&one) },
            Occasion::Factor { user: &ada, action: "a", session: Some(&two) },
            Occasion::Factor { user: &ada, action: "a", session: None },
            Occasion::Registration { user: &ada, session: Some(&one) },
            Occasion::Registration { user: &ada, session: None },
            Occasion::Login,
        ];
        for (at, made_for) in occasions.iter().enumerate() {
            let challenge = challenges.make(made_for);
            for (other, shown_for) in occasions.iter().enumerate() {
                assert_eq!(challenges.recognize(&challenge, shown_for).is_some(), at == other, "{at} {other}");
            }
        }
        let challenge = challenges.make(&Occasion::Login);
        for at in 0..challenge.len() {
            let mut changed = challenge.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(challenges.recognize(&changed, &Occasion::Login).is_none(), "{at}");
        }
        assert_ne!(challenge, challenges.make(&Occasion::Login));
        clock.advance(LIFETIME);
        assert!(challenges.recognize(&challenge, &Occasion::Login).is_none());
        for malformed in ["", "AAAA", "!", &"A".repeat(10_000)] {
            assert!(challenges.recognize(malformed, &Occasion::Login).is_none());
        }
    }
}
