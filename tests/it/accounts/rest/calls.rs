//! Logins, `method.call` and an application's own endpoints.

use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::SqlStore;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::accounts::{Bank, sha256};
use crate::server::Server;
use crate::waiting::soon;

fn frame(reply: &super::Reply) -> Value {
    serde_json::from_str(reply.body["message"].as_str().unwrap()).unwrap()
}

fn message(method: &str, params: &Value) -> Value {
    json!({ "message": json!({ "msg": "method", "id": "1", "method": method, "params": params }).to_string() })
}

#[tokio::test]
async fn a_login_is_challenged_with_401_and_an_endpoint_with_400() {
    let bank = Bank::open().await;
    let login = json!({ "user": "bob", "password": "bob's password" });
    let asked = bank.post("login").json(&login).send().await;
    assert_eq!((asked.status, &asked.body["error"]), (401, &json!("totp-required")));
    assert_eq!(asked.body["details"]["method"], "totp");
    let passed = bank.post("login").json(&login).header("x-2fa-code", bank.code()).send().await;
    assert_eq!((passed.status, &passed.body["data"]["userId"]), (200, &json!("user-bob")));
    let token = passed.body["data"]["authToken"].as_str().unwrap();
    let asked = bank.post("gated").by("bob", token).send().await;
    assert_eq!((asked.status, asked.error()), (400, &json!("totp-required")));
    bank.clock.advance(Duration::from_mins(1));
    let passed = bank.post("gated").by("bob", token).code(&bank.code(), "totp").send().await;
    assert_eq!((passed.status, passed.body), (200, json!({ "ok": true, "success": true })));
}

#[tokio::test]
async fn all_forms_of_a_login_are_accepted() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    let password = "alice's password";
    for body in [
        json!({ "user": "alice", "password": password }),
        json!({ "user": "alice@example.com", "password": password }),
        json!({ "username": "alice", "password": password }),
        json!({ "email": "alice@example.com", "password": password }),
        json!({ "user": { "username": "alice" }, "password": password }),
        json!({ "user": "alice", "password": { "digest": sha256(password), "algorithm": "sha-256" } }),
        json!({ "resume": token }),
    ] {
        let reply = bank.post("login").json(&body).send().await;
        assert_eq!((reply.status, &reply.body["data"]["me"]["username"]), (200, &json!("alice")), "{body}");
    }
    let form = bank.post("login").header("content-type", "application/x-www-form-urlencoded");
    let reply = form.text("user=alice%40example.com&password=alice%27s+password").send().await;
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("success")));
    let login = json!({ "user": { "username": "bob" }, "password": "bob's password" });
    let wrapped = json!({ "totp": { "login": login, "code": bank.code() } });
    assert_eq!(bank.post("login").json(&wrapped).send().await.status, 200);
}

#[tokio::test]
async fn a_method_call_is_answered_with_a_frame_and_checks_the_user_id() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    let whoami = message("whoami", &json!([]));
    let mine = bank.post("method.call/whoami").by("alice", &token).json(&whoami).send().await;
    assert_eq!((mine.status, &frame(&mine)["result"]), (200, &json!("user-alice")));
    let others = bank.post("method.call/whoami").by("bob", &token).json(&whoami).send().await;
    assert_eq!(others.status, 401);
    let nobodys = bank.post("method.callAnon/whoami").json(&whoami).send().await;
    assert_eq!((nobodys.status, &nobodys.body["success"]), (400, &json!(false)));
}

#[tokio::test]
async fn the_body_names_the_method_and_a_setting_rejects_another_path() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let call = || bank.post("method.call/whoami").by("bob", &token).json(&message("gated", &json!([])));
    let asked = call().send().await;
    assert_eq!((asked.status, &frame(&asked)["error"]["error"]), (400, &json!("totp-required")));
    bank.set("API_Method_Call_Path_Must_Match", true).await;
    assert_eq!(call().send().await.error(), "invalid-params");
}

#[tokio::test]
async fn a_failed_method_call_is_400_or_200_by_a_setting() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let call = || bank.post("method.call/gated").by("bob", &token).json(&message("gated", &json!([])));
    assert_eq!(call().send().await.status, 400);
    bank.set("API_Method_Call_Errors_With_200", true).await;
    let reply = call().send().await;
    assert_eq!((reply.status, &frame(&reply)["error"]["error"]), (200, &json!("totp-required")));
}

#[tokio::test]
async fn a_code_reaches_the_method_by_parameter_or_by_headers() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let with_code = json!([{ "twoFactorCode": bank.code(), "twoFactorMethod": "totp" }]);
    let call =
        |params: &Value| bank.post("method.call/noRemember").by("bob", &token).json(&message("noRemember", params));
    assert_eq!(call(&with_code).send().await.status, 200);
    bank.clock.advance(Duration::from_mins(1));
    assert_eq!(call(&json!([])).code(&bank.code(), "totp").send().await.status, 200);
}

#[tokio::test]
async fn one_function_can_be_a_method_and_an_endpoint_with_path_and_query() {
    let bank = Bank::open().await;
    let reply = bank.get("items/a%20b?count=2").send().await;
    assert_eq!((reply.status, &reply.body["result"]), (200, &json!("a b 2")));
    let reply =
        bank.post("method.callAnon/item").json(&message("item", &json!([{ "id": "x", "count": 3 }]))).send().await;
    assert_eq!(frame(&reply)["result"], "x 3");
}

#[tokio::test]
async fn a_request_runs_to_its_end_even_if_the_client_leaves() {
    let (started, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (start, end) = (Arc::clone(&started), Arc::clone(&ended));
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
    let endpoint = async move |_: Context, _: Value| {
        start.notify_one();
        tokio::time::sleep(Duration::from_millis(200)).await;
        end.notify_one();
        Ok(1)
    };
    let app = App::builder().accounts(accounts).post("slow", TwoFactor::none(), endpoint).build().unwrap();
    let server = Server::start(app).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"POST /api/v1/slow HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    soon(started.notified()).await;
    drop(client);
    soon(ended.notified()).await;
}

#[tokio::test]
async fn an_endpoint_takes_values_of_custom_types() {
    let bank = Bank::open().await;
    let decimal = json!({ "$type": "Decimal", "$value": "1.5" });
    let reply = bank.post("echo").json(&json!({ "amount": decimal })).send().await;
    assert_eq!((reply.status, &reply.body["amount"]), (200, &decimal));
}
