//! An application's extensions of the login pipeline: login handlers, hooks, new users.

use std::sync::Arc;

use bolide::accounts::{Accounts, AccountsHandle, LoginAttempt, LoginRequest};
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::store::User;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

/// Logs in with `{badge: USERNAME}`; the badge `stolen` fails.
fn with_badges(accounts: Accounts) -> Accounts {
    accounts.login_handler("badge", async |request: LoginRequest| {
        let Some(badge) = request.text("badge") else { return Ok(None) };
        if badge == "stolen" {
            return Err(MethodError::new(403, "This badge was reported as stolen"));
        }
        Ok(Some(UserId::from(format!("user-{badge}"))))
    })
}

fn badge(name: &str) -> Value {
    json!([{ "badge": name }])
}

#[tokio::test]
async fn a_login_handler_works_over_ddp_and_rest_and_unknown_credentials_are_400() {
    let bank = Bank::open_with(with_badges).await;
    let mut client = bank.connect().await;
    let answer = client.ask("login", badge("alice")).await;
    assert_eq!((&result(&answer)["id"], &result(&answer)["type"]), (&json!("user-alice"), &json!("badge")));
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-alice");
    let reply = bank.post("login").text(r#"{"badge":"alice"}"#).send().await;
    assert_eq!((reply.status, &reply.body["data"]["userId"]), (200, &json!("user-alice")));
    let unknown = client.ask("login", json!([{ "card": "alice" }])).await;
    assert_eq!(
        (error(&unknown), &unknown["error"]["reason"]),
        (&json!(400), &json!("Unrecognized options for login request"))
    );
}

#[tokio::test]
async fn resume_and_password_are_tried_before_login_handlers() {
    let bank = Bank::open_with(|accounts| {
        accounts.login_handler("greedy", async |_: LoginRequest| Ok(Some(UserId::from("user-admin"))))
    })
    .await;
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", password_login("alice", "wrong")).await), 403);
    assert_eq!(error(&client.ask("login", json!([{ "resume": "unknown" }])).await), 403);
    assert_eq!(result(&client.ask("login", json!([{}])).await)["id"], "user-admin");
}

#[tokio::test]
async fn a_user_from_a_login_handler_is_still_asked_for_a_second_factor() {
    let bank = Bank::open_with(with_badges).await;
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", badge("bob")).await), "totp-required");
    assert_eq!(error(&client.ask("whoami", json!([])).await), "error-invalid-user");
    let with_code = json!([{ "totp": { "login": { "badge": "bob" }, "code": bank.code() } }]);
    assert_eq!(result(&client.ask("login", with_code).await)["id"], "user-bob");
}

#[tokio::test]
async fn a_handler_that_returns_no_active_user_does_not_log_in() {
    let bank = Bank::open_with(with_badges).await;
    bank.app.accounts().unwrap().set_active("alice", false).await.unwrap();
    let mut client = bank.connect().await;
    let (inactive, nobody) = (client.ask("login", badge("alice")).await, client.ask("login", badge("nobody")).await);
    assert_eq!(inactive["error"], nobody["error"]);
    assert_eq!(error(&nobody), 403);
}

#[tokio::test]
async fn failures_of_a_login_handler_block_the_name() {
    let bank = Bank::open_with(with_badges).await;
    let mut client = bank.connect().await;
    let stolen = json!([{ "badge": "stolen", "username": "alice" }]);
    for _ in 0..10 {
        let answer = client.ask("login", stolen.clone()).await;
        assert_eq!(answer["error"]["reason"], "This badge was reported as stolen");
    }
    assert_eq!(error(&client.ask("login", stolen).await), "error-login-blocked-for-user");
    assert_eq!(
        error(&client.ask("login", password_login("alice", "alice's password")).await),
        "error-login-blocked-for-user"
    );
}

#[tokio::test]
async fn a_blocked_user_cannot_log_in_through_another_handler() {
    let bank = Bank::open_with(with_badges).await;
    let mut client = bank.connect().await;
    for _ in 0..10 {
        client.ask("login", password_login("alice", "wrong")).await;
    }
    assert_eq!(error(&client.ask("login", badge("alice")).await), 403);
}

/// Rejects alice with an error and emma with `false`, and records its calls.
fn with_hook(seen: &Arc<Mutex<Vec<String>>>) -> impl FnOnce(Accounts) -> Accounts + use<> {
    let seen = Arc::clone(seen);
    move |accounts| {
        accounts.validate_login(move |attempt: LoginAttempt| {
            let name = attempt.user().and_then(|user| user.username.clone()).unwrap_or_default();
            let outcome = if attempt.is_allowed() { "allowed" } else { "failed" };
            seen.lock().push(format!("{} {} {name} {outcome}", attempt.method(), attempt.kind()));
            std::future::ready(match name.as_str() {
                "alice" => Err(MethodError::new("error-later", "Come again later")),
                "emma" => Ok(false),
                _ => Ok(true),
            })
        })
    }
}

#[tokio::test]
async fn a_hook_can_reject_with_its_own_error_or_403_and_sees_failures() {
    let seen = Arc::default();
    let bank = Bank::open_with(with_hook(&seen)).await;
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", password_login("alice", "alice's password")).await), "error-later");
    let emma = client.ask("login", password_login("emma", "emma's password")).await;
    assert_eq!((error(&emma), &emma["error"]["reason"]), (&json!(403), &json!("Login forbidden")));
    assert_eq!(error(&client.ask("login", password_login("nobody", "wrong")).await), 403);
    let token = bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    assert_eq!(error(&client.ask("login", json!([{ "resume": token }])).await), "error-later");
    result(&client.ask("login", password_login("admin", "admin's password")).await);
    let expected = [
        "login password alice allowed",
        "login password emma allowed",
        "login password  failed",
        "login resume alice allowed",
        "login password admin allowed",
    ];
    assert_eq!(*seen.lock(), expected);
    assert_eq!(bank.mails(0).await.len(), 0, "no code is mailed to somebody whom a hook refuses");
}

#[tokio::test]
async fn a_hook_cannot_make_a_failed_login_succeed() {
    let bank = Bank::open_with(|accounts| accounts.validate_login(async |_: LoginAttempt| Ok(true))).await;
    assert_eq!(error(&bank.connect().await.ask("login", password_login("alice", "wrong")).await), 403);
}

/// Runs an action on alice between the check of her password and the creation of her token.
async fn login_while<Meddle>(meddle: impl Fn(AccountsHandle) -> Meddle + Send + Sync + 'static) -> (Bank, Value)
where
    Meddle: Future<Output = ()> + Send + 'static,
{
    let accounts: Arc<Mutex<Option<AccountsHandle>>> = Arc::default();
    let own = Arc::clone(&accounts);
    let bank = Bank::open_with(|accounts| {
        accounts.validate_login(move |attempt: LoginAttempt| {
            let meddling = attempt.is_allowed().then(|| meddle(own.lock().clone().unwrap()));
            async move {
                if let Some(meddling) = meddling {
                    meddling.await;
                }
                Ok(true)
            }
        })
    })
    .await;
    *accounts.lock() = bank.app.accounts();
    let answer = bank.connect().await.ask("login", password_login("alice", "alice's password")).await;
    (bank, answer)
}

#[tokio::test]
async fn a_password_change_during_a_login_ends_that_login() {
    let (bank, answer) = login_while(async |accounts| accounts.set_password("alice", "another").await.unwrap()).await;
    assert_eq!(error(&answer), 403);
    assert!(bank.app.accounts().unwrap().store().tokens_of(&"user-alice".into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deactivation_during_a_login_ends_that_login() {
    let (_bank, answer) = login_while(async |accounts| accounts.set_active("alice", false).await.unwrap()).await;
    assert_eq!(error(&answer), 403);
}

#[tokio::test]
async fn new_users_get_the_fields_of_the_hook_and_only_some_are_published() {
    let bank = Bank::open_with(|accounts| {
        accounts.publish_user_fields(["company"]).on_create_user(async |options: Object, mut user: User| {
            let Some(company) = options.get("company").cloned() else { return Ok(user) };
            user.fields.insert("company".into(), company);
            user.fields.insert("risk".into(), 7.into());
            Ok(user)
        })
    })
    .await;
    let mut client = bank.connect().await;
    client.send(json!({ "msg": "method", "id": "1", "method": "createUser", "params": [{ "username": "carol", "company": "ACME" }] })).await;
    let document = loop {
        let message = client.next().await;
        if message["msg"] == "added" && message["collection"] == "users" {
            break message["fields"].clone();
        }
    };
    assert_eq!(document["company"], "ACME");
    assert_eq!(document.get("risk"), None);
    assert_eq!(bank.app.accounts().unwrap().find("carol").await.unwrap().fields["risk"], 7.into());
}

#[tokio::test]
async fn a_hook_can_reject_a_new_user_and_nothing_is_stored() {
    let bank = Bank::open_with(|accounts| {
        accounts
            .validate_new_user(async |user: User| Ok(user.username.as_deref() != Some("mallory")))
            .validate_new_user(async |user: User| match user.username.as_deref() {
                Some("trudy") => Err(MethodError::new("error-trudy", "Not you")),
                _ => Ok(true),
            })
    })
    .await;
    let mut client = bank.connect().await;
    let refused = client.ask("createUser", json!([{ "username": "mallory" }])).await;
    assert_eq!((error(&refused), &refused["error"]["reason"]), (&json!(403), &json!("User validation failed")));
    assert_eq!(error(&client.ask("createUser", json!([{ "username": "trudy" }])).await), "error-trudy");
    result(&client.ask("createUser", json!([{ "username": "peggy" }])).await);
    for name in ["mallory", "trudy"] {
        assert!(bank.app.accounts().unwrap().find(name).await.is_err());
    }
}
