//! Acknowledged writes are on disk, even if the server is killed during writes or the disk is full.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::LoginSecret;
use bolide::store::SqlStore;
use bolide::store::token::Tokens as _;
use bolide_test_servers::Postgres;
use futures::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Data, Serving};
use crate::waiting::{soon, until};

const ROUNDS: u64 = 20;
const WRITERS: usize = 4;

/// A client that tolerates a killed server: then there is no answer.
struct Writer(WebSocketStream<TcpStream>);

impl Writer {
    async fn log_in(address: SocketAddr, token: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/websocket"), stream).await.ok()?;
        let mut writer = Self(socket);
        writer.send(&json!({ "msg": "connect", "version": "1", "support": ["1"] })).await?;
        let login = writer.ask("login", &json!([{ "resume": token }])).await?;
        assert!(login.get("error").is_none(), "{login}");
        Some(writer)
    }

    async fn send(&mut self, message: &Value) -> Option<()> {
        self.0.send(Message::text(message.to_string())).await.ok()
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Option<Value> {
        self.send(&json!({ "msg": "method", "id": "1", "method": method, "params": params })).await?;
        while let Some(Ok(frame)) = self.0.next().await {
            let Message::Text(text) = frame else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["msg"] == "result" {
                return Some(message);
            }
        }
        None
    }

    /// Returns a token that the server has stored, or `None` if it failed to.
    async fn new_token(&mut self) -> Option<String> {
        Some(self.ask("getNewToken", &json!([])).await?["result"]["token"].as_str()?.to_owned())
    }
}

/// Reads the database directly.
async fn expect_all(data: &Data, tokens: &[String]) {
    let store = SqlStore::open(&data.address()).await.unwrap();
    for token in tokens {
        let hashed = LoginSecret::from(token.clone()).hashed();
        assert!(store.token(&hashed).await.unwrap().is_some(), "of {} tokens, one is lost", tokens.len());
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_twenty_kills_during_writes() {
    kill_during_writes(Data::new("kills")).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_twenty_kills_during_writes_to_postgres() {
    kill_during_writes(Data::in_postgres("kills-postgres", Postgres::shared().database())).await;
}

async fn kill_during_writes(data: Data) {
    data.succeed(&["user", "add", "ada"], "kV9#tq-2Lw\n");
    let first = data.succeed(&["token", "issue", "ada"], "");
    let acknowledged = Arc::new(Mutex::new(vec![first.trim().to_owned()]));
    for round in 0..ROUNDS {
        let server = data.serve();
        let before = acknowledged.lock().len();
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (address, acknowledged) = (server.address, Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    let token = acknowledged.lock()[0].clone();
                    let Some(mut writer) = Writer::log_in(address, &token).await else { return };
                    while let Some(token) = writer.new_token().await {
                        acknowledged.lock().push(token);
                    }
                })
            })
            .collect();
        until(|| acknowledged.lock().len() >= before + 2 * WRITERS).await;
        // At a different point of a write each time.
        tokio::time::sleep(Duration::from_micros(700 * round)).await;
        server.kill();
        for writer in writers {
            soon(writer).await.unwrap();
        }
        let all = acknowledged.lock().clone();
        expect_all(&data, &all).await;
    }
}

#[tokio::test]
async fn on_a_full_disk_writes_fail_and_everything_else_works() {
    let data = Data::new("full");
    data.succeed(&["user", "add", "ada"], "kV9#tq-2Lw\n");
    let token = data.succeed(&["token", "issue", "ada"], "").trim().to_owned();
    // Files cannot grow beyond this limit; a write over it fails.
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap '' XFSZ; ulimit -f 1000; exec "$0" serve --listen 127.0.0.1:0"#]);
    limited.arg(env!("CARGO_BIN_EXE_bolide")).env("BOLIDE_DATA_DIR", &data.directory);
    limited.stderr(std::process::Stdio::null());
    let server = Serving::start(limited);
    let mut writer = Writer::log_in(server.address, &token).await.unwrap();
    let mut acknowledged = vec![token.clone()];
    let refusal = loop {
        let answer = soon(writer.ask("getNewToken", &json!([]))).await.expect("the server goes on");
        match answer["result"]["token"].as_str() {
            Some(token) => acknowledged.push(token.to_owned()),
            None => break answer,
        }
        assert!(acknowledged.len() < 10_000, "the disk is never full");
    };
    assert_eq!(refusal["error"]["error"], 500, "{refusal}");
    assert_eq!(refusal["error"]["reason"], "Internal server error");
    let settings = writer.ask("public-settings/get", &json!([])).await.unwrap();
    assert!(settings["result"].is_array(), "{settings}");
    let mut other = Writer::log_in(server.address, &token).await.expect("who has a token still logs in");
    assert_eq!(other.ask("getNewToken", &json!([])).await.unwrap()["error"]["error"], 500);
    server.kill();
    expect_all(&data, &acknowledged).await;
    let server = data.serve();
    let mut writer = Writer::log_in(server.address, &token).await.unwrap();
    assert!(writer.new_token().await.is_some(), "with room on the disk, it writes again");
}
