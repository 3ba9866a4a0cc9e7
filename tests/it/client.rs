//! A small DDP client over a real socket. Whatever it waits for has to come soon.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long something that has to come may take.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A client. Dropping it cuts the socket.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    session: String,
}

impl Client {
    /// Opens a WebSocket and says nothing on it.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a listening server");
        let url = format!("ws://{address}/websocket");
        let (socket, _) =
            tokio_tungstenite::client_async(url, stream).await.expect("a server that upgrades");
        Self { socket, session: String::new() }
    }

    /// Opens a session.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        client.start_session(json!({"msg": "connect", "version": "1", "support": ["1"]})).await;
        client
    }

    /// Sends a `connect`, and waits until the session is open.
    pub(crate) async fn start_session(&mut self, connect: Value) {
        self.send(connect).await;
        let connected = self.next().await;
        assert_eq!(connected["msg"], "connected", "{connected}");
        self.session = connected["session"].as_str().expect("a session's id").to_owned();
    }

    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_frame(Message::text(text)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Message) {
        self.socket.send(frame).await.expect("an open socket");
    }

    /// Sends a call; its answer is read by [`answer`](Self::answer).
    pub(crate) async fn call(&mut self, id: &str, method: &str, params: Value) {
        self.send(json!({"msg": "method", "id": id, "method": method, "params": params})).await;
    }

    /// Calls a method and gives its `result` message.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.call("asked", method, params).await;
        self.answer("asked").await
    }

    /// The `result` message of a call. Other messages are passed over.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["msg"] == "result" && message["id"] == id {
                return message;
            }
        }
    }

    /// The next message of the server, which does not close the connection.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("a message was expected, not {other:?}"),
        }
    }

    /// The code with which the server closes the connection; whatever comes before is passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next_frame().await {
                Some(Message::Close(Some(close))) => return close.code.into(),
                Some(Message::Text(_) | Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("a close with a code was expected, not {other:?}"),
            }
        }
    }

    /// The next frame; nothing once the socket is gone.
    pub(crate) async fn next_frame(&mut self) -> Option<Message> {
        let frame = timeout(SOON, self.socket.next()).await.expect("the server goes on");
        frame.and_then(Result::ok)
    }
}
