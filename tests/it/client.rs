//! A small DDP client over a real socket. Everything that it waits for has a short timeout.

use std::net::SocketAddr;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::waiting::{A_MOMENT, SOON};

/// A client. Dropping it drops the socket.
pub(crate) struct Client<Io = TcpStream> {
    to_server: SplitSink<WebSocketStream<Io>, Message>,
    from_server: SplitStream<WebSocketStream<Io>>,
    session: String,
}

impl Client {
    /// Opens a WebSocket and sends nothing.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_with(address, format!("ws://{address}/websocket")).await
    }

    /// Opens a WebSocket with a custom request.
    pub(crate) async fn open_with(address: SocketAddr, request: impl IntoClientRequest + Unpin) -> Self {
        let stream = TcpStream::connect(address).await.expect("a listening server");
        Self::open_over(stream, request).await
    }

    /// Opens a session.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        client.start_session().await;
        client
    }

    /// Tries to resume an older session.
    pub(crate) async fn come_back(address: SocketAddr, session: &str, received: u64) -> Self {
        let mut client = Self::open(address).await;
        client.send(resume(session, received)).await;
        client.expect_connected().await;
        client
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Client<Io> {
    /// Opens a WebSocket over any stream.
    pub(crate) async fn open_over(stream: Io, request: impl IntoClientRequest + Unpin) -> Self {
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("a server that upgrades");
        let (to_server, from_server) = socket.split();
        Self { to_server, from_server, session: String::new() }
    }

    /// Sends a `connect`, and waits until the session is open.
    pub(crate) async fn start_session(&mut self) {
        self.send(connect()).await;
        self.expect_connected().await;
    }

    pub(crate) async fn expect_connected(&mut self) {
        let connected = self.next().await;
        assert_eq!(connected["msg"], "connected", "{connected}");
        connected["session"].as_str().expect("a session's id").clone_into(&mut self.session);
    }

    /// Returns the id of the session.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_frame(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_frame(Message::text(text)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Message) {
        self.to_server.send(frame).await.expect("an open socket");
    }

    /// Sends a call; its answer is read by [`answer`](Self::answer).
    pub(crate) async fn call(&mut self, id: &str, method: &str, params: Value) {
        self.send(call(id, method, params)).await;
    }

    /// Calls a method and returns its `result` message.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.call("asked", method, params).await;
        self.answer("asked").await
    }

    /// Sends messages and reads at the same time, until each has a `result`. Returns the ids in order.
    pub(crate) async fn ask_all(&mut self, messages: Vec<Value>) -> Vec<String> {
        let count = messages.len();
        let send_all = async {
            for message in messages {
                self.to_server.feed(Message::text(message.to_string())).await.expect("an open socket");
            }
            self.to_server.flush().await.expect("an open socket");
        };
        let read_all = async {
            let mut answered = Vec::new();
            while answered.len() < count {
                let message = as_message(next_frame(&mut self.from_server).await);
                if message["msg"] == "result" {
                    answered.push(message["id"].as_str().expect("an id").to_owned());
                }
            }
            answered
        };
        futures::join!(send_all, read_all).1
    }

    /// Sends a message repeatedly until the server stops reading, or until it is clear that it will not stop.
    /// Returns the number of bytes sent.
    pub(crate) async fn send_until_blocked(&mut self, message: &Message, at_most: usize) -> usize {
        let mut sent = 0;
        while sent < at_most {
            match timeout(A_MOMENT, self.to_server.send(message.clone())).await {
                Ok(taken) => taken.expect("an open socket"),
                Err(_) => break,
            }
            sent += message.len();
        }
        sent
    }

    /// Sends a `ping` and waits for the `pong`. Earlier messages have been read by then.
    pub(crate) async fn ping(&mut self) {
        self.send(json!({"msg": "ping", "id": "are you there"})).await;
        let pong = Message::text(r#"{"msg":"pong","id":"are you there"}"#);
        loop {
            match self.next_frame().await {
                Some(Message::Close(close)) => panic!("a pong was expected, not {close:?}"),
                None => panic!("a pong was expected, and the socket is gone"),
                Some(frame) if frame == pong => return,
                Some(_) => {}
            }
        }
    }

    /// Returns the `result` message of a call, skipping other messages.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["msg"] == "result" && message["id"] == id {
                return message;
            }
        }
    }

    /// Returns the next message from the server. Fails if the connection is closed.
    pub(crate) async fn next(&mut self) -> Value {
        as_message(self.next_frame().await)
    }

    /// Returns the next frame, or `None` if the socket is closed.
    pub(crate) async fn next_frame(&mut self) -> Option<Message> {
        next_frame(&mut self.from_server).await
    }

    /// Returns the code with which the server closes the connection, skipping other frames.
    pub(crate) async fn close_code(&mut self) -> u16 {
        close_code(&mut self.from_server).await
    }

    /// Sends a frame for which the server closes the connection, perhaps before reading all of it. Returns the code.
    pub(crate) async fn close_code_after(&mut self, frame: Message) -> u16 {
        let Self { to_server, from_server, .. } = self;
        let send = async { drop(to_server.send(frame).await) };
        futures::join!(send, close_code(from_server)).1
    }

    /// Closes the connection and waits until the server has closed it too.
    pub(crate) async fn leave(mut self) {
        self.send_frame(Message::Close(None)).await;
        self.wait_for_end().await;
    }

    /// Waits until the socket is closed.
    pub(crate) async fn wait_for_end(&mut self) {
        while self.next_frame().await.is_some() {}
    }

    /// Closes with this code, and returns the code in the server's answer.
    pub(crate) async fn close_with(mut self, close: Option<CloseFrame>) -> Option<CloseFrame> {
        self.send_frame(Message::Close(close)).await;
        match self.next_frame().await {
            Some(Message::Close(answer)) => answer,
            other => panic!("a close was expected, not {other:?}"),
        }
    }
}

/// Returns the message that opens a session.
pub(crate) fn connect() -> Value {
    json!({"msg": "connect", "version": "1", "support": ["1"]})
}

/// Returns the message that resumes a session.
pub(crate) fn resume(session: &str, received: u64) -> Value {
    json!({
        "msg": "connect",
        "version": "1",
        "support": ["1"],
        "session": session,
        "receivedCount": received,
    })
}

/// Returns the message that calls a method.
pub(crate) fn call(id: &str, method: &str, params: Value) -> Value {
    let mut message = json!({"msg": "method", "id": id, "method": method});
    message["params"] = params;
    message
}

async fn next_frame<Io: AsyncRead + AsyncWrite + Unpin>(
    from_server: &mut SplitStream<WebSocketStream<Io>>,
) -> Option<Message> {
    let frame = timeout(SOON, from_server.next()).await.expect("the server says something");
    frame.and_then(Result::ok)
}

async fn close_code<Io: AsyncRead + AsyncWrite + Unpin>(from_server: &mut SplitStream<WebSocketStream<Io>>) -> u16 {
    loop {
        match next_frame(from_server).await {
            Some(Message::Close(Some(close))) => return close.code.into(),
            Some(Message::Text(_)) => {}
            other => panic!("a close with a code was expected, not {other:?}"),
        }
    }
}

fn as_message(frame: Option<Message>) -> Value {
    match frame {
        Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("a message was expected, not {other:?}"),
    }
}
