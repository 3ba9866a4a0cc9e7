//! The REST client, with a server that answers as Rocket.Chat does.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use bolide::client::{CallError, Challenge, RestClient, TwoFactorMethod};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::waiting::soon;

type Answer = (StatusCode, String);

fn challenge(error: &str) -> Value {
    json!({"method": "totp", "codeGenerated": false, "availableMethods": ["totp"], "error": error})
}

async fn log_in(body: String) -> Answer {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    match (body["password"].as_str(), body["code"].as_str()) {
        (Some("secret"), Some("123456")) => {
            let data = json!({"userId": "ada", "authToken": "a token", "me": {}});
            (StatusCode::OK, json!({"status": "success", "data": data}).to_string())
        }
        (Some("secret"), code) => {
            let error = if code.is_some() { "totp-invalid" } else { "totp-required" };
            let answer = json!({"status": "error", "error": error, "message": "TOTP", "details": challenge(error)});
            (StatusCode::UNAUTHORIZED, answer.to_string())
        }
        _ => {
            (StatusCode::UNAUTHORIZED, json!({"status": "error", "error": 403, "message": "Unauthorized"}).to_string())
        }
    }
}

/// `status` is the status of a failed method.
fn call(uri: &Uri, headers: &HeaderMap, body: &str, status: StatusCode) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if uri.path().contains("method.call/") && header("x-auth-token") != Some("a token") {
        return (StatusCode::UNAUTHORIZED, json!({"status": "error", "message": "You must be logged in"}).to_string());
    }
    let body: Value = serde_json::from_str(body).expect("JSON");
    let message: Value = serde_json::from_str(body["message"].as_str().expect("a text")).expect("JSON");
    let is_gated = message["method"] == "transfer/funds";
    let code = header("x-2fa-code").zip(header("x-2fa-method"));
    let (status, answer) = if !is_gated || code == Some(("123456", "totp")) {
        let result = json!([uri.path(), message["params"], header("x-user-id")]);
        (StatusCode::OK, json!({"msg": "result", "id": "1", "result": result}))
    } else {
        let error = json!({"error": "totp-required", "reason": "TOTP", "details": challenge("")});
        (status, json!({"msg": "result", "id": "1", "error": error}))
    };
    (status, json!({"message": answer.to_string(), "success": status.is_success()}).to_string())
}

/// Starts the server and returns its address.
async fn start(status: StatusCode) -> String {
    let call = async move |uri: Uri, headers: HeaderMap, body: String| call(&uri, &headers, &body, status);
    let router = Router::new()
        .route("/api/v1/login", post(log_in))
        .route("/api/v1/method.call/{method}", post(call))
        .route("/api/v1/method.callAnon/{method}", post(call));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn client(address: &str, asked: &Arc<Mutex<Vec<Challenge>>>) -> RestClient {
    let asked = Arc::clone(asked);
    RestClient::new(address).expect("an address").two_factor(async move |challenge: Challenge| {
        asked.lock().push(challenge);
        if asked.lock().len() == 1 { "000000" } else { "123456" }
    })
}

#[tokio::test]
async fn logins_and_calls_ask_for_codes_and_send_them_as_rest_requires() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::OK] {
        let asked = Arc::default();
        let mut client = client(&start(status).await, &asked);
        let account = soon(client.login("ada", "secret")).await.expect("an account");
        assert_eq!((account.user_id(), account.token()), ("ada", "a token"));
        let result: Value = soon(client.call("transfer/funds", &(1, "x"))).await.expect("a result");
        assert_eq!(result, json!(["/api/v1/method.call/transfer:funds", [1, "x"], "ada"]));
        let asked = asked.lock();
        let repeated: Vec<bool> = asked.iter().map(Challenge::is_repeated).collect();
        assert_eq!(repeated, [false, true, false]);
        assert!(asked.iter().all(|challenge| challenge.method() == TwoFactorMethod::Totp));
    }
}

#[tokio::test]
async fn without_a_login_calls_are_anonymous() {
    let client = client(&start(StatusCode::BAD_REQUEST).await, &Arc::default());
    let result: Value = soon(client.call("add", &())).await.expect("a result");
    assert_eq!(result, json!(["/api/v1/method.callAnon/add", [], null]));
}

#[tokio::test]
async fn errors_keep_the_servers_code_reason_and_details() {
    let address = start(StatusCode::BAD_REQUEST).await;
    let error = soon(client(&address, &Arc::default()).login("ada", "wrong")).await.expect_err("a refusal").to_string();
    assert_eq!(error, "Unauthorized [403]");
    let stranger = client(&address, &Arc::default()).signed_in("eve", "another token");
    let error = soon(stranger.call::<Value>("add", &())).await.expect_err("a refusal").to_string();
    assert_eq!(error, "You must be logged in [401]");
    let nowhere = RestClient::new(&format!("{address}/elsewhere/websocket")).expect("an address");
    let error = soon(nowhere.call::<Value>("add", &())).await.expect_err("a refusal");
    assert!(matches!(error, CallError::Http(ref status) if status.contains("404")), "{error}");
}

#[tokio::test]
async fn requests_share_a_connection() {
    let port = async |ConnectInfo(client): ConnectInfo<SocketAddr>| {
        let answer = json!({"msg": "result", "id": "1", "result": client.port()});
        json!({"message": answer.to_string(), "success": true}).to_string()
    };
    let router = Router::new().route("/api/v1/method.callAnon/{method}", post(port));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let client = RestClient::new(&format!("http://{address}")).expect("an address");
    let first: u16 = soon(client.call("port", &())).await.expect("a port");
    let second: u16 = soon(client.call("port", &())).await.expect("a port");
    assert_eq!(first, second);
}
