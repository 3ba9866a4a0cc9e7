//! The floor: a bare tokio-tungstenite server that gives the answers the load generator asks for,
//! and nothing else.
//!
//! No rules, no policies, no limits: what it costs is what the socket, the WebSocket and the JSON
//! cost when they are used well. Small read buffers, one runtime thread, answers written once per
//! read. Each connection is one task; a subscriber of `feed` has a channel beside it.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

use crate::Failure;
use crate::tick::Added;
use crate::{hand_made, http_floor};

const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 16 * 1024;

/// There is more than one way to be bare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Small buffers; a subscriber of `feed` is sent each message by itself.
    Plain,
    /// The same with the buffer sizes that tungstenite has by default.
    DefaultBuffers,
    /// As plain, but all messages that wait for a subscriber share one write.
    SharedWrites,
    /// No WebSocket at all, but HTTP.
    Http,
    /// No library: frames read and written by hand, and answers from fixed places of the text.
    HandMade,
}

impl Variant {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::DefaultBuffers, Self::SharedWrites, Self::Http, Self::HandMade];

    /// What it is called on the command line and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "floor",
            Self::DefaultBuffers => "floor-defaults",
            Self::SharedWrites => "floor-shared",
            Self::Http => "floor-http",
            Self::HandMade => "hand-made",
        }
    }

    fn buffers(self) -> WebSocketConfig {
        let default = WebSocketConfig::default();
        match self {
            Self::DefaultBuffers => default,
            Self::Plain | Self::SharedWrites | Self::Http | Self::HandMade => {
                default.read_buffer_size(READ_BUFFER).write_buffer_size(WRITE_BUFFER)
            }
        }
    }

    /// How many messages of `feed` share a write at most.
    fn feed_batch(self) -> usize {
        if self == Self::SharedWrites { 64 } else { 1 }
    }
}

/// Serves until the process is ended.
pub(crate) fn serve(variant: Variant) -> Result<(), Failure> {
    match variant {
        Variant::Http => http_floor::serve(),
        Variant::HandMade => hand_made::serve(),
        Variant::Plain | Variant::DefaultBuffers | Variant::SharedWrites => {
            tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(accept(variant))
        }
    }
}

async fn accept(variant: Variant) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let feed = Feed::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_connection(stream, variant, feed.clone()));
    }
}

async fn serve_connection(stream: TcpStream, variant: Variant, feed: Feed) {
    let upgrade = accept_async_with_config(stream, Some(variant.buffers()));
    let Ok(socket) = upgrade.await else {
        return;
    };
    // Clients leave as they like; the load generator notices if they had to.
    Connection { socket, feed, subscription: None, feed_batch: variant.feed_batch() }.serve().await.ok();
}

struct Connection {
    socket: WebSocketStream<TcpStream>,
    feed: Feed,
    /// What comes from the feed, once the client has subscribed to it.
    subscription: Option<UnboundedReceiver<Utf8Bytes>>,
    feed_batch: usize,
}

impl Connection {
    async fn serve(mut self) -> Result<(), tungstenite::Error> {
        while let Some(message) = self.socket.next().await {
            self.answer(message?).await?;
            while let Some(Some(message)) = self.socket.next().now_or_never() {
                self.answer(message?).await?;
            }
            self.socket.flush().await?;
            if let Some(subscription) = self.subscription.take() {
                return self.serve_subscriber(subscription).await;
            }
        }
        Ok(())
    }

    async fn serve_subscriber(
        mut self,
        mut subscription: UnboundedReceiver<Utf8Bytes>,
    ) -> Result<(), tungstenite::Error> {
        let mut waiting = Vec::with_capacity(self.feed_batch);
        loop {
            tokio::select! {
                biased;
                _ = subscription.recv_many(&mut waiting, self.feed_batch) => {
                    for message in waiting.drain(..) {
                        self.socket.feed(Message::Text(message)).await?;
                    }
                }
                message = self.socket.next() => match message {
                    Some(message) => self.answer(message?).await?,
                    None => return Ok(()),
                },
            }
            self.socket.flush().await?;
        }
    }

    async fn answer(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        let Message::Text(text) = message else {
            return Ok(());
        };
        let Ok(request) = serde_json::from_str::<Value>(&text) else {
            return Ok(());
        };
        match request["msg"].as_str() {
            Some("connect") => self.feed(&json!({"msg": "connected", "session": "23456789ABCDEFGHJ"})).await,
            Some("ping") => self.feed(&json!({"msg": "pong", "id": request["id"]})).await,
            Some("method") => self.call(&request).await,
            Some("sub") => self.subscribe(&request).await,
            _ => Ok(()),
        }
    }

    async fn call(&mut self, request: &Value) -> Result<(), tungstenite::Error> {
        let params = &request["params"];
        let result = match request["method"].as_str() {
            Some("add") => json!(params[0].as_f64().zip(params[1].as_f64()).map(|(a, b)| a + b)),
            Some("broadcast") => json!(self.feed.broadcast(&params[0])),
            _ => Value::Null,
        };
        self.feed(&json!({"msg": "updated", "methods": [request["id"]]})).await?;
        self.feed(&json!({"msg": "result", "id": request["id"], "result": result})).await
    }

    async fn subscribe(&mut self, request: &Value) -> Result<(), tungstenite::Error> {
        match request["name"].as_str() {
            Some("feed") => {
                let added = json!({"msg": "added", "collection": "feed", "id": "x", "fields": {"p": null}});
                self.feed(&added).await?;
                self.subscription = Some(self.feed.subscribe());
            }
            Some("tick") => {
                self.send_documents(request["params"][0].as_u64().unwrap_or_default()).await?;
            }
            _ => {
                let error = json!({"error": 404, "reason": "Subscription not found"});
                let refusal = json!({"msg": "nosub", "id": request["id"], "error": error});
                return self.feed(&refusal).await;
            }
        }
        self.feed(&json!({"msg": "ready", "subs": [request["id"]]})).await
    }

    /// Whenever the write buffer is full, tungstenite writes it. No other chunks were cheaper.
    async fn send_documents(&mut self, count: u64) -> Result<(), tungstenite::Error> {
        for index in 0..count {
            let text = Added::numbered(index).to_text();
            self.socket.feed(Message::text(text)).await?;
        }
        Ok(())
    }

    async fn feed(&mut self, message: &Value) -> Result<(), tungstenite::Error> {
        self.socket.feed(Message::text(message.to_string())).await
    }
}

/// The subscribers of `feed`.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<Vec<UnboundedSender<Utf8Bytes>>>>);

impl Feed {
    fn subscribe(&self) -> UnboundedReceiver<Utf8Bytes> {
        let (sender, receiver) = unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Encodes the message once and gives it to every subscriber; says how many those are.
    fn broadcast(&self, payload: &Value) -> usize {
        let changed = json!({"msg": "changed", "collection": "feed", "id": "x", "fields": {"p": payload}});
        let message = Utf8Bytes::from(changed.to_string());
        let mut subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.send(message.clone()).is_ok());
        subscribers.len()
    }
}
