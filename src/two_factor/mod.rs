//! The second factor: the gate of an app with accounts, and what sets factors up.
//!
//! - `gate`: asks for a factor before a gated call and at login; `decision`: whether it must, as a pure function;
//! - `codes`: checks codes of every factor, and counts wrong ones;
//! - `totp`: authenticator apps and backup codes; `email`: codes by mail;
//! - `passkeys`: passkeys, as second factors and as logins of their own;
//! - `trust`: clients that have shown a factor lately;
//! - `challenge`: the second factor of a login that the client cannot repeat;
//! - `reset`: for users who have lost their factors;
//! - `methods`, `meteor`, `call_with_code`: the methods of Rocket.Chat and Meteor.
//!
//! The room is built on `accounts`, and implements its port `SecondFactor`.

mod call_with_code;
mod challenge;
mod codes;
mod decision;
mod email;
mod gate;
mod meteor;
mod methods;
mod passkeys;
mod reset;
mod totp;
mod trust;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::accounts::{AccountsCore, BegunChallenge, Foundation, Proof, SecondFactor};
use crate::call::{Connection, MethodResult};
use crate::registry::Registry;
use crate::store::User;

use challenge::Challenges;
use codes::Codes;
use email::EmailCodes;
use passkeys::{PasskeyFactor, PasskeyOwner};
use reset::FactorReset;
use totp::AuthenticatorApps;
use trust::TrustedClients;

pub(crate) use gate::FactorGate;

/// The second factors of an app, put together of services.
pub(crate) struct TwoFactorCore {
    pub(crate) gate: Arc<FactorGate>,
    pub(crate) challenges: Challenges,
    pub(crate) reset: FactorReset,
    codes: Arc<Codes>,
    email: Arc<EmailCodes>,
    apps: Arc<AuthenticatorApps>,
    passkeys: Arc<PasskeyFactor>,
    owner: PasskeyOwner,
}

/// Registers the methods that the app has not registered itself.
pub(crate) fn register(accounts: &Arc<AccountsCore>, factors: &Arc<TwoFactorCore>, registry: &mut Registry) {
    methods::register(accounts, factors, registry);
    passkeys::register(factors, registry);
}

impl TwoFactorCore {
    pub(crate) fn new(accounts: &Foundation) -> Arc<Self> {
        let apps = Arc::new(AuthenticatorApps::new(accounts));
        let email = Arc::new(EmailCodes::new(accounts));
        let trusted = Arc::new(TrustedClients::new(accounts));
        let passkeys = Arc::new(PasskeyFactor::new(accounts));
        let codes = Arc::new(Codes::new(accounts, &apps, &email, &passkeys));
        Arc::new(Self {
            gate: Arc::new(FactorGate::new(accounts, &codes, (&email, &passkeys), &trusted)),
            challenges: Challenges::new(accounts, &codes, (&email, &passkeys), &trusted),
            owner: PasskeyOwner::new(accounts, &passkeys, &apps),
            reset: FactorReset::new(accounts),
            codes,
            email,
            apps,
            passkeys,
        })
    }
}

impl SecondFactor for TwoFactorCore {
    fn check_at_login<'call>(
        &'call self,
        user: &'call User,
        code: Option<&'call str>,
        connection: Option<&'call Connection>,
    ) -> BoxFuture<'call, MethodResult<()>> {
        Box::pin(self.gate.check_at_login(user, code, connection))
    }

    fn recognize_passkey<'call>(
        &'call self,
        assertion: &'call str,
        connection: Option<&'call Connection>,
    ) -> BoxFuture<'call, MethodResult<Option<User>>> {
        Box::pin(self.passkeys.verify_login(assertion, connection))
    }

    fn begin_challenge<'call>(
        &'call self,
        user: &'call User,
        connection: Option<&'call Connection>,
    ) -> BoxFuture<'call, MethodResult<Option<BegunChallenge>>> {
        Box::pin(self.challenges.begin(user, connection))
    }

    fn reset<'call>(
        &'call self,
        user: &'call User,
        connection: Option<&'call Connection>,
        details: Value,
        proof: &'call Proof,
    ) -> BoxFuture<'call, MethodResult<()>> {
        Box::pin(self.reset.all_factors(user, connection, details, proof))
    }
}
