//! A server for client tests that sends what the test tells it to.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::waiting::soon;

/// The address that clients connect to.
pub(crate) struct ScriptedServer(TcpListener);

/// The server's end of a connection. Dropping it cuts the connection.
pub(crate) struct Peer(WebSocketStream<TcpStream>);

impl ScriptedServer {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.0.local_addr().expect("an address"))
    }

    /// Accepts the next WebSocket.
    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = soon(self.0.accept()).await.expect("a client");
        stream.set_nodelay(true).expect("a socket");
        Peer(soon(tokio_tungstenite::accept_async(stream)).await.expect("a WebSocket"))
    }

    /// Accepts the next WebSocket and opens a session with this id.
    pub(crate) async fn accept_session(&self, session: &str) -> Peer {
        let mut peer = self.accept().await;
        assert_eq!(peer.hear().await["msg"], "connect");
        peer.say(json!({"msg": "connected", "session": session})).await;
        peer
    }
}

impl Peer {
    pub(crate) async fn say(&mut self, message: Value) {
        self.say_frame(Message::text(message.to_string())).await;
    }

    pub(crate) async fn say_frame(&mut self, frame: Message) {
        self.0.send(frame).await.expect("an open socket");
    }

    /// Returns the next message from the client.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(_)) => {}
                other => panic!("a message was expected, not {other:?}"),
            }
        }
    }

    /// Receives a call and answers it.
    pub(crate) async fn answer(&mut self, result: Value) -> Value {
        let call = self.hear().await;
        self.say(json!({"msg": "updated", "methods": [call["id"]]})).await;
        self.say(json!({"msg": "result", "id": call["id"], "result": result})).await;
        call
    }

    /// Receives a call and asks for a second factor.
    pub(crate) async fn challenge(&mut self, error: &str) -> Value {
        let call = self.hear().await;
        let details = json!({"method": "totp", "codeGenerated": false, "availableMethods": ["totp"]});
        let error = json!({"isClientSafe": true, "error": error, "message": "TOTP", "details": details});
        self.say(json!({"msg": "result", "id": call["id"], "error": error})).await;
        call
    }
}
