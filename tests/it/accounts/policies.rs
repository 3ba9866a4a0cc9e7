//! Lists the policy of every method and endpoint of the accounts, so that a change of a policy is noticed.

use std::collections::BTreeMap;

use bolide::MethodSummary;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::SqlStore;

/// The methods and endpoints that require a second factor, and their policies.
const GATED: &[(&str, &str)] = &[
    ("POST settings", "second factor, no remember-me"),
    ("POST settings/{_id}", "second factor"),
    ("POST users.2fa.disableEmail", "second factor, no exemptions, no remember-me"),
    ("POST users.2fa.enableEmail", "second factor for some calls, no exemptions, no remember-me"),
    ("POST users.enableTotp", "second factor, no exemptions, no remember-me"),
    ("POST users.generatePersonalAccessToken", "second factor, no exemptions, no remember-me"),
    ("POST users.passkeys.beginRegistration", "second factor, no exemptions, no remember-me"),
    ("POST users.passkeys.regenerateCodes", "second factor, no exemptions, no remember-me"),
    ("POST users.passkeys.remove", "second factor, no exemptions, no remember-me"),
    ("POST users.passkeys.rename", "second factor, no exemptions, no remember-me"),
    ("POST users.regeneratePersonalAccessToken", "second factor, no exemptions, no remember-me"),
    ("POST users.removePersonalAccessToken", "second factor, no exemptions, no remember-me"),
    ("POST users.resetTOTP", "second factor, no exemptions, no remember-me"),
    ("POST users.updateOwnBasicInfo", "second factor for some calls, no exemptions, no remember-me"),
    ("POST users.validateTotp", "second factor, no exemptions, no remember-me"),
    ("method 2fa:disable-email", "second factor, no exemptions, no remember-me"),
    ("method 2fa:enable", "second factor for some calls, no exemptions, no remember-me"),
    ("method 2fa:enable-email", "second factor for some calls, no exemptions, no remember-me"),
    ("method 2fa:validateTempToken", "second factor for some calls, no exemptions, no remember-me"),
    ("method admin:addUser", "second factor, no exemptions, no remember-me"),
    ("method admin:discardMail", "second factor"),
    ("method admin:endSession", "second factor"),
    ("method changePassword", "second factor for some calls, no exemptions, no remember-me"),
    ("method enableUser2fa", "second factor for some calls, no exemptions, no remember-me"),
    ("method generate2faActivationQrCode", "second factor for some calls, no exemptions, no remember-me"),
    ("method admin:logOut", "second factor"),
    ("method admin:resetSecondFactors", "second factor, no exemptions, no remember-me"),
    ("method admin:retryMail", "second factor"),
    ("method admin:setActive", "second factor, no exemptions, no remember-me"),
    ("method admin:setRole", "second factor, no exemptions, no remember-me"),
    ("method admin:setRoles", "second factor, no exemptions, no remember-me"),
    ("method admin:unblock", "second factor"),
    ("method disableUser2fa", "second factor, no exemptions, no remember-me"),
    ("method passkeys:beginRegistration", "second factor, no exemptions, no remember-me"),
    ("method passkeys:regenerateCodes", "second factor, no exemptions, no remember-me"),
    ("method passkeys:remove", "second factor, no exemptions, no remember-me"),
    ("method passkeys:rename", "second factor, no exemptions, no remember-me"),
    ("method personalAccessTokens:generateToken", "second factor, no exemptions, no remember-me"),
    ("method personalAccessTokens:regenerateToken", "second factor, no exemptions, no remember-me"),
    ("method personalAccessTokens:removeToken", "second factor, no exemptions, no remember-me"),
    ("method saveSetting", "second factor"),
    ("method saveSettings", "second factor"),
    ("method saveUserProfile", "second factor for some calls, no exemptions, no remember-me"),
];

/// The open ones: logins, those that ask in their own way, those that only read, and those that remove rights.
const OPEN: &[&str] = &[
    "GET me",
    "GET settings",
    "GET settings.public",
    "GET settings/{_id}",
    "GET users.getPersonalAccessTokens",
    "GET users.info",
    "GET users.list",
    "GET users.passkeys.list",
    "GET users.totpCodesRemaining",
    "POST twoFactorChallenges.sendEmailCode",
    "POST twoFactorChallenges.verifyChallenge",
    "POST users.2fa.sendEmailCode",
    "POST users.disableTotp",
    "POST users.forgotPassword",
    "POST users.logoutOtherClients",
    "POST users.passkeys.beginLogin",
    "POST users.passkeys.finishRegistration",
    "POST users.regenerateTotpCodes",
    "POST users.register",
    "POST users.removeOtherTokens",
    "method /users/update",
    "method /users/updateAsync",
    "method 2fa:checkCodesRemaining",
    "method 2fa:disable",
    "method 2fa:regenerateCodes",
    "method account:revokeToken",
    "method admin:auditPage",
    "method admin:methods",
    "method callWithTwoFactorRequired",
    "method createUser",
    "method forgotPassword",
    "method getNewToken",
    "method has2faEnabled",
    "method login",
    "method logout",
    "method logoutOtherClients",
    "method passkeys:beginLogin",
    "method passkeys:finishRegistration",
    "method passkeys:list",
    "method private-settings/get",
    "method public-settings/get",
    "method removeOtherTokens",
    "method resetPassword",
    "method sendEmailCode",
    "method sendVerificationEmail",
    "method setUsername",
    "method verifyEmail",
];

#[tokio::test]
async fn every_method_and_endpoint_has_the_policy_listed_here() {
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
    let app = App::builder().accounts(accounts).build().unwrap();
    let name = |method: &MethodSummary| format!("{} {}", method.kind.verb().unwrap_or("method"), method.name);
    let found: BTreeMap<String, String> =
        app.methods().iter().map(|method| (name(method), method.policy.to_string())).collect();
    let open = OPEN.iter().map(|name| (*name, "open"));
    let expected: BTreeMap<String, String> =
        GATED.iter().copied().chain(open).map(|(name, policy)| (name.to_owned(), policy.to_owned())).collect();
    assert_eq!(found, expected);
}
