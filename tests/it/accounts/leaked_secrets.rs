//! Logs of every level and publications do not contain passwords, codes, tokens or secrets.

use bolide::testing::TestClient;
use serde_json::{Value, json};

use super::{Bank, by_password, password_login, result, sha256, totp_code, with_code};
use crate::log::Log;

/// Runs everything that happens to users. Returns every secret that was involved.
async fn live_through_it_all(bank: &Bank) -> Vec<String> {
    let mut secrets = vec!["alice's password".to_owned(), sha256("alice's password").to_lowercase()];
    let mut client = bank.connect().await;
    let login = client.ask("login", password_login("alice", "alice's password")).await;
    secrets.push(result(&login)["token"].as_str().unwrap().to_owned());
    client.ask("login", password_login("alice", "a wrong password")).await;
    secrets.push("a wrong password".to_owned());
    result(&client.ask("gated", with_code(&sha256("alice's password"), "password")).await);
    let token =
        client.ask("personalAccessTokens:generateToken", by_password("alice", json!([{ "tokenName": "ci" }]))).await;
    secrets.push(result(&token).as_str().unwrap().to_owned());
    let enrolment = result(&client.ask("2fa:enable", by_password("alice", json!([]))).await).clone();
    let secret = enrolment["secret"].as_str().unwrap().to_owned();
    let code = totp_code(&secret, &bank.clock);
    let codes = client.ask("2fa:validateTempToken", by_password("alice", json!([code]))).await;
    secrets.extend(result(&codes)["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()));
    secrets.extend([secret, code]);
    let mut emma = bank.log_in("emma").await;
    emma.ask("gated", json!([])).await;
    let mailed = bank.mailed_code(1).await;
    emma.ask("gated", with_code("987654", "email")).await;
    result(&emma.ask("gated", with_code(&mailed, "email")).await);
    secrets.extend(["987654".to_owned(), mailed.replace('-', ""), mailed]);
    emma.ask("forgotPassword", json!([{ "email": "emma@example.com" }])).await;
    let link = bank.mails(2).await.pop().unwrap().text;
    let token = link.split("#/reset-password/").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    emma.ask("resetPassword", json!([token, "another password"])).await;
    secrets.extend([token, "another password".to_owned()]);
    secrets
}

fn assert_hidden(text: &str, secrets: &[String], place: &str) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{place} holds {secret}");
    }
}

#[tokio::test]
async fn the_log_contains_no_secrets_at_any_level() {
    let log = Log::default();
    // Libraries that log the bytes on sockets would log everything.
    let _guard = log.keep("trace,tungstenite=debug,tokio_tungstenite=debug,hyper=debug,mio=debug");
    let bank = Bank::open().await;
    let secrets = live_through_it_all(&bank).await;
    let text = log.text();
    assert!(text.contains("two-factor.passed"), "the log holds what happened");
    assert_hidden(&text, &secrets, "the log");
}

#[tokio::test]
async fn publications_contain_no_secrets() {
    let bank = Bank::open().await;
    let secrets = live_through_it_all(&bank).await;
    bank.set("Accounts_TwoFactorAuthentication_Enforce_Password_Fallback", false).await;
    for name in ["admin", "alice"] {
        let mut subscriber = TestClient::connect(&bank.app).await;
        let token = bank.app.accounts().unwrap().issue_token(name).await.unwrap();
        subscriber.login_with_token(&token).await.unwrap();
        subscriber.subscribe("account:tokens", &()).await.unwrap();
        subscriber.subscribe("settings:public", &()).await.unwrap();
        if name == "admin" {
            for publication in ["settings", "roles", "methods", "sessions", "mails", "users", "audit"] {
                subscriber.subscribe(&format!("admin:{publication}"), &()).await.unwrap();
            }
        }
        let shown: Vec<Value> = ["users", "tokens", "settings", "sessions", "mails", "adminUsers", "audit", "methods"]
            .into_iter()
            .flat_map(|collection| subscriber.documents::<Value>(collection).into_values())
            .collect();
        let text = json!(shown).to_string();
        assert_hidden(&text, &secrets, name);
        for forbidden in ["$argon2", "$2b$", "services", "hashed", "fingerprint"] {
            assert!(!text.contains(forbidden), "{name} is shown {forbidden}");
        }
    }
}
