//! Permissions: what the current roles of a user allow.

use bolide::accounts::Accounts;
use bolide::prelude::*;
use bolide::store::SqlStore;
use serde_json::json;

use super::{Bank, error, result};

fn refuse_tokens(accounts: Accounts) -> Accounts {
    accounts.permission("create-personal-access-tokens", &["bot"])
}

#[tokio::test]
async fn only_admins_can_read_settings_with_rocket_chats_errors() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let refused = alice.ask("private-settings/get", json!([])).await;
    assert_eq!(error(&refused), "error-action-not-allowed");
    assert_eq!(refused["error"]["details"], json!({ "method": "private-settings/get" }));
    let mut admin = bank.log_in("admin").await;
    assert!(result(&admin.ask("private-settings/get", json!([])).await).is_array());
    assert!(result(&alice.ask("public-settings/get", json!([])).await).is_array());
}

#[tokio::test]
async fn all_users_can_create_tokens_unless_the_application_forbids_it() {
    let options = json!([{ "tokenName": "ci" }]);
    let bank = Bank::open().await;
    bank.app.accounts().unwrap().set("Accounts_TwoFactorAuthentication_Enabled", false.into()).await.unwrap();
    result(&bank.log_in("alice").await.ask("personalAccessTokens:generateToken", options.clone()).await);
    let bank = Bank::open_with(refuse_tokens).await;
    bank.app.accounts().unwrap().set("Accounts_TwoFactorAuthentication_Enabled", false.into()).await.unwrap();
    let mut alice = bank.log_in("alice").await;
    for method in ["generateToken", "regenerateToken", "removeToken"] {
        let method = format!("personalAccessTokens:{method}");
        let refused = alice.ask(&method, options.clone()).await;
        assert_eq!(error(&refused), "not-authorized");
        assert_eq!(refused["error"]["reason"], "Not Authorized");
        assert_eq!(refused["error"]["details"], json!({ "method": method }));
    }
}

#[tokio::test]
async fn a_removed_role_takes_effect_at_once() {
    let bank = Bank::open().await;
    let mut admin = bank.log_in("admin").await;
    result(&admin.ask("private-settings/get", json!([])).await);
    bank.app.accounts().unwrap().store().set_roles(&"user-admin".into(), Vec::new()).await.unwrap();
    assert_eq!(error(&admin.ask("private-settings/get", json!([])).await), "error-action-not-allowed");
}

#[tokio::test]
async fn without_accounts_all_permissions_are_denied() {
    let app = App::builder()
        .method("refund", TwoFactor::none(), async |me: SignedIn| me.require_permission("refund-orders").await)
        .build()
        .unwrap();
    let refused = app.call::<Ejson>(&Caller::user("ada"), "refund", &()).await.unwrap_err();
    assert_eq!(refused.error, "not-authorized".into());
}

#[tokio::test]
async fn a_handler_can_require_an_application_permission() {
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    let keys = bolide::keys::KeyRing::generate(&bolide::chance::SystemChance);
    let accounts = Accounts::open(store, keys).await.unwrap().permission("refund-orders", &["cashier"]);
    let app = App::builder()
        .accounts(accounts)
        .method("refund", TwoFactor::none(), async |me: SignedIn| me.require_permission("refund-orders").await)
        .build()
        .unwrap();
    let accounts = app.accounts().unwrap();
    for (name, role, may) in [("carol", "cashier", true), ("dave", "guest", false), ("erin", "admin", true)] {
        let user = accounts.add_user(name, &[], &[role], None).await.unwrap();
        let outcome = app.call::<Ejson>(&Caller::user(user.id), "refund", &()).await;
        assert_eq!(outcome.is_ok(), may, "{name}");
    }
}
