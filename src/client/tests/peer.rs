//! [`Peer`]: the server's end of one connection, which sends and receives what a script says.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const SOON: Duration = Duration::from_secs(10);

pub(super) struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    pub(super) async fn accept(listener: &TcpListener) -> Result<Self, String> {
        let accepted = timeout(SOON, async {
            let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            tokio_tungstenite::accept_async(stream).await.map_err(|error| error.to_string())
        });
        Ok(Self(accepted.await.map_err(|_| "the client does not connect".to_owned())??))
    }

    pub(super) async fn say(&mut self, message: &Value) -> Result<(), String> {
        self.0.send(Message::text(message.to_string())).await.map_err(|error| error.to_string())
    }

    /// Waits for the next message of the client.
    pub(super) async fn hear(&mut self) -> Result<Value, String> {
        loop {
            let frame = timeout(SOON, self.0.next()).await.map_err(|_| "the client sent nothing".to_owned())?;
            match frame {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).map_err(|error| error.to_string()),
                Some(Ok(_)) => {}
                other => return Err(format!("the client has gone: {other:?}")),
            }
        }
    }
}
