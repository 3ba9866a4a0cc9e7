//! The same over HTTP.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Bank;

/// Posts a body; gives the status and the answer.
pub(super) async fn post(bank: &Bank, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(bank.server.address).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "POST /api/v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_login_is_challenged_with_401_and_an_endpoint_with_400() {
    let bank = Bank::open().await;
    let login = r#"{"user":"bob","password":"bob's password"}"#;
    let (status, body) = post(&bank, "login", &[], login).await;
    assert_eq!((status, &body["error"], &body["details"]["method"]), (401, &json!("totp-required"), &json!("totp")));
    let code = bank.code();
    let (status, body) = post(&bank, "login", &[("x-2fa-code", &code)], login).await;
    assert_eq!((status, &body["data"]["userId"]), (200, &json!("user-bob")));
    let token = body["data"]["authToken"].as_str().unwrap();
    let mine = [("x-auth-token", token), ("x-user-id", "user-bob")];
    let (status, body) = post(&bank, "gated", &mine, "").await;
    assert_eq!((status, &body["errorType"]), (400, &json!("totp-required")));
    bank.clock.advance(std::time::Duration::from_secs(60));
    let code = bank.code();
    let shown = [mine[0], mine[1], ("x-2fa-code", &code), ("x-2fa-method", "totp")];
    assert_eq!(post(&bank, "gated", &shown, "").await, (200, json!({ "ok": true, "success": true })));
}

#[tokio::test]
async fn a_method_call_answers_with_a_frame_and_needs_the_right_owner() {
    let bank = Bank::open().await;
    let token = bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    let message = json!({ "message": r#"{"msg":"method","id":"1","method":"whoami","params":[]}"# }).to_string();
    let mine = [("x-auth-token", token.as_str()), ("x-user-id", "user-alice")];
    let (status, body) = post(&bank, "method.call/whoami", &mine, &message).await;
    let frame: Value = serde_json::from_str(body["message"].as_str().unwrap()).unwrap();
    assert_eq!((status, &frame["result"]), (200, &json!("user-alice")));
    let others = [("x-auth-token", token.as_str()), ("x-user-id", "user-bob")];
    assert_eq!(post(&bank, "method.call/whoami", &others, &message).await.0, 401);
    let (status, body) = post(&bank, "method.callAnon/whoami", &[], &message).await;
    assert_eq!((status, &body["success"]), (400, &json!(false)));
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let bank = Bank::open().await;
    for body in ["x", "[]", "1", "{", "\"a\""] {
        assert_eq!(post(&bank, "login", &[], body).await.0, 400, "{body}");
    }
    assert_eq!(post(&bank, "method.callAnon/echo", &[], r#"{"message":5}"#).await.0, 400);
}
