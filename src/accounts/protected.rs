//! The doors through which the protection of accounts changes: [`DOORS`] lists every method and endpoint that adds,
//! confirms, changes, removes or disables a factor, or that changes a password, an address, a role, a token or a setting
//! that weakens the gate. The services that make such changes demand a [`Proof`], which is made here alone.

use crate::call::{MethodError, MethodKind, MethodResult, Requirement, SignedIn, TwoFactor, TwoFactorCode};

/// Evidence that the protection of an account may be changed: the user has shown a factor in this call, or what counts
/// instead. A service that changes it takes one as a parameter.
#[derive(Debug)]
#[must_use = "without using it, nothing shows that it was asked for"]
pub(crate) struct Proof(());

/// What counts instead of the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ground {
    /// The application or an operator makes the change.
    Operator,
    /// A link that was sent by mail was used up.
    Link,
    /// A code or password that is a parameter of the call was right.
    Shown,
}

impl Proof {
    /// Returns the evidence of a change that the gate is not asked about.
    pub(crate) const fn by(_: Ground) -> Self {
        Self(())
    }
}

/// How a door asks for proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// The gate is asked before every call.
    EveryCall,
    /// The handler asks the gate for the calls that change something protected.
    SomeCalls,
    /// As `SomeCalls`, and the policy of the method asks for less before every call.
    SomeCallsMore,
    /// The proof is a parameter of the call, such as a code of the app that is removed or the token of a link.
    ItsOwnWay,
}

/// A method, or an endpoint with its verb.
#[derive(Clone, Copy, Debug)]
struct Door {
    name: &'static str,
    asks: Asks,
    requirement: Requirement,
}

const fn door(name: &'static str, asks: Asks) -> Door {
    Door { name, asks, requirement: TwoFactor::fresh_proof() }
}

/// A door by which new users set their accounts up, with a first factor or a token. A user without a factor is asked for the
/// password, except in the first minutes after signing up.
const fn setting_up(name: &'static str, asks: Asks) -> Door {
    Door { name, asks, requirement: TwoFactor::fresh_proof().accept_new_account() }
}

/// Every door.
const DOORS: [Door; 46] = [
    // Factors.
    setting_up("2fa:enable", Asks::SomeCalls),
    setting_up("2fa:validateTempToken", Asks::SomeCalls),
    door("2fa:disable", Asks::ItsOwnWay),
    door("2fa:regenerateCodes", Asks::ItsOwnWay),
    setting_up("2fa:enable-email", Asks::SomeCalls),
    door("2fa:disable-email", Asks::EveryCall),
    setting_up("generate2faActivationQrCode", Asks::SomeCalls),
    setting_up("enableUser2fa", Asks::SomeCalls),
    door("disableUser2fa", Asks::EveryCall),
    door("admin:resetSecondFactors", Asks::EveryCall),
    setting_up("POST users.enableTotp", Asks::EveryCall),
    setting_up("POST users.validateTotp", Asks::EveryCall),
    door("POST users.disableTotp", Asks::ItsOwnWay),
    door("POST users.regenerateTotpCodes", Asks::ItsOwnWay),
    setting_up("POST users.2fa.enableEmail", Asks::SomeCalls),
    door("POST users.2fa.disableEmail", Asks::EveryCall),
    door("POST users.resetTOTP", Asks::EveryCall),
    // To begin a registration is proven; its challenge is the proof of who finishes it.
    setting_up("passkeys:beginRegistration", Asks::EveryCall),
    setting_up("passkeys:finishRegistration", Asks::ItsOwnWay),
    door("passkeys:rename", Asks::EveryCall),
    door("passkeys:remove", Asks::EveryCall),
    door("passkeys:regenerateCodes", Asks::EveryCall),
    setting_up("POST users.passkeys.beginRegistration", Asks::EveryCall),
    setting_up("POST users.passkeys.finishRegistration", Asks::ItsOwnWay),
    door("POST users.passkeys.rename", Asks::EveryCall),
    door("POST users.passkeys.remove", Asks::EveryCall),
    door("POST users.passkeys.regenerateCodes", Asks::EveryCall),
    // Passwords and addresses.
    door("changePassword", Asks::SomeCalls),
    door("resetPassword", Asks::ItsOwnWay),
    door("verifyEmail", Asks::ItsOwnWay),
    door("saveUserProfile", Asks::SomeCalls),
    door("POST users.updateOwnBasicInfo", Asks::SomeCalls),
    // Roles, and whether a user may log in.
    door("admin:setRoles", Asks::EveryCall),
    door("admin:setActive", Asks::EveryCall),
    door("admin:addUser", Asks::EveryCall),
    // Tokens. A login is a proof itself; `getNewToken` replaces a token by one that ends no later.
    setting_up("personalAccessTokens:generateToken", Asks::EveryCall),
    setting_up("personalAccessTokens:regenerateToken", Asks::EveryCall),
    setting_up("personalAccessTokens:removeToken", Asks::EveryCall),
    setting_up("POST users.generatePersonalAccessToken", Asks::EveryCall),
    setting_up("POST users.regeneratePersonalAccessToken", Asks::EveryCall),
    setting_up("POST users.removePersonalAccessToken", Asks::EveryCall),
    // Settings.
    door("admin:setRole", Asks::EveryCall),
    door("saveSetting", Asks::SomeCallsMore),
    door("saveSettings", Asks::SomeCallsMore),
    door("POST settings", Asks::SomeCallsMore),
    door("POST settings/{_id}", Asks::SomeCallsMore),
];

/// Registers functions as methods with the policies of their doors. Each is called with the services and the caller:
///
/// ```text
/// methods!(registry, services; method_unless_there("setUsername", set_username, SignedIn););
/// ```
macro_rules! methods {
    ($registry:expr, $services:expr; $($register:ident($name:literal, $function:path, $caller:ty);)+) => {
        $({
            let services = std::sync::Arc::clone($services);
            let policy = $crate::accounts::protected::policy($name);
            $registry.$register($name, policy, move |caller: $caller, parameters: $crate::call::Parameters| {
                let services = std::sync::Arc::clone(&services);
                async move { $function(&services, caller, parameters).await }
            });
        })+
    };
}
pub(crate) use methods;

/// Returns the policy of a door: open if it asks itself, and if there is no such door. A method that is not a door has no
/// [`Proof`] to change anything with.
pub(crate) fn policy(name: &str) -> TwoFactor {
    let Some(door) = find(name) else { return TwoFactor::none() };
    match door.asks {
        Asks::EveryCall => door.requirement.into(),
        Asks::SomeCalls => door.requirement.on_demand(),
        Asks::SomeCallsMore | Asks::ItsOwnWay => TwoFactor::none(),
    }
}

fn find(name: &str) -> Option<&'static Door> {
    DOORS.iter().find(|door| door.name == name)
}

/// Returns the name of a method or endpoint in the table.
fn door_name(kind: MethodKind, name: &str) -> String {
    kind.verb().map_or_else(|| name.to_owned(), |verb| format!("{verb} {name}"))
}

impl SignedIn {
    /// Asks the gate for a factor that the user has, whatever the policy of the method: no trust and no bypass token
    /// excuses. The code is `found`, or else the one that came with the call.
    ///
    /// # Errors
    /// Returns the refusal of the gate, or an internal error if the method is not in the table of doors.
    pub(crate) async fn prove(&self, found: Option<TwoFactorCode>) -> MethodResult<Proof> {
        let name = door_name(self.context().method_kind(), self.context().method_name());
        let Some(door) = find(&name) else {
            let reason = format!("`{name}` changes what protects accounts; add it to DOORS in accounts/protected.rs");
            return Err(MethodError::internal(reason));
        };
        let _admitted = self.demand_more(door.requirement, found).await?;
        Ok(Proof(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::App;
    use crate::accounts::Accounts;
    use crate::call::Caller;
    use crate::chance::SystemChance;
    use crate::keys::KeyRing;
    use crate::store::SqlStore;

    async fn policies() -> BTreeMap<String, TwoFactor> {
        let store = SqlStore::open("sqlite::memory:").await.unwrap();
        let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
        let app = App::builder().accounts(accounts).build().unwrap();
        app.methods().into_iter().map(|method| (door_name(method.kind, &method.name), method.policy)).collect()
    }

    #[tokio::test]
    async fn every_door_is_registered_with_the_policy_of_the_table() {
        let policies = policies().await;
        for door in DOORS {
            let policy = policies.get(door.name).copied().unwrap_or_else(|| panic!("{} is not registered", door.name));
            match door.asks {
                Asks::SomeCallsMore => assert!(policy.is_gated(), "{}", door.name),
                _ => assert_eq!(policy, super::policy(door.name), "{}", door.name),
            }
        }
    }

    #[tokio::test]
    async fn every_method_that_requires_a_second_factor_is_a_door() {
        let is_strict =
            |policy: &TwoFactor| policy.requirement().is_some_and(|own: Requirement| own.is_second_factor_required());
        let strict = policies().await.into_iter().filter(|(_, policy)| is_strict(policy));
        let unlisted: Vec<String> = strict.map(|(name, _)| name).filter(|name| find(name).is_none()).collect();
        assert_eq!(unlisted, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_method_that_is_not_a_door_gets_no_proof() {
        let store = SqlStore::open("sqlite::memory:").await.unwrap();
        let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
        let rogue = async |me: SignedIn| me.prove(None).await.map(|_| true);
        let app = App::builder().accounts(accounts).method("rogue", TwoFactor::fresh_proof().on_demand(), rogue);
        let app = app.build().unwrap();
        let user = app.accounts().unwrap().add_user("ada", &[], &[], Some("correct horse staple")).await.unwrap();
        let refused = app.call::<bool>(&Caller::user(user.id), "rogue", &()).await.unwrap_err();
        assert_eq!(refused.error, 500.into());
    }
}
