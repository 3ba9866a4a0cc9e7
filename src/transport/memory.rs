//! [`MemoryConnection`]: a client in the same process, without a socket. It speaks the same DDP through the same session.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytestring::ByteString;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use super::{Goodbye, Received, Transport};
use crate::session::{Item, Session};

/// How many frames may be on their way in one direction.
const FRAMES_ON_THE_WAY: usize = 1024;

/// The client's end of a connection within the process.
pub struct MemoryConnection {
    to_server: mpsc::Sender<ByteString>,
    from_server: mpsc::Receiver<FromServer>,
}

/// What a server says to a [`MemoryConnection`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromServer {
    /// A frame.
    Frame(String),
    /// The server closed the connection, with a WebSocket close code.
    Closed(u16),
}

impl MemoryConnection {
    /// Sends a frame. A server that is gone does not hear it.
    pub async fn send(&self, frame: impl Into<String>) {
        let _gone = self.to_server.send(frame.into().into()).await;
    }

    /// The next frame; nothing once the connection is closed.
    pub async fn receive(&mut self) -> Option<FromServer> {
        self.from_server.recv().await
    }
}

impl fmt::Debug for MemoryConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryConnection").finish_non_exhaustive()
    }
}

/// The server's end.
pub(crate) struct MemoryTransport {
    from_client: mpsc::Receiver<ByteString>,
    to_client: PollSender<FromServer>,
    goodbye: Option<Goodbye>,
}

pub(crate) fn pair() -> (MemoryConnection, MemoryTransport) {
    let (to_server, from_client) = mpsc::channel(FRAMES_ON_THE_WAY);
    let (to_client, from_server) = mpsc::channel(FRAMES_ON_THE_WAY);
    let connection = MemoryConnection { to_server, from_server };
    (connection, MemoryTransport { from_client, to_client: PollSender::new(to_client), goodbye: None })
}

impl Transport for MemoryTransport {
    fn poll_receive(&mut self, _: &Arc<Session>, context: &mut Context<'_>) -> Poll<Received> {
        if self.goodbye.is_some() {
            return Poll::Ready(Received::Closed);
        }
        self.from_client.poll_recv(context).map(|frame| frame.map_or(Received::Closed, Received::Frame))
    }

    fn poll_send(&mut self, session: &Arc<Session>, context: &mut Context<'_>) {
        while let Poll::Ready(Ok(())) = self.to_client.poll_reserve(context) {
            let Some(item) = session.outbox().take() else { return };
            self.hand_over(item);
        }
    }

    fn close(&mut self, session: &Arc<Session>, goodbye: Goodbye) {
        self.goodbye = Some(goodbye);
        let Some(to_client) = self.to_client.get_ref() else { return };
        while let Some(text) = session.outbox().take().and_then(Item::into_text) {
            let _full = to_client.try_send(FromServer::Frame(text.to_string()));
        }
        let _full = to_client.try_send(FromServer::Closed(goodbye.code));
    }
}

impl MemoryTransport {
    fn hand_over(&mut self, item: Item) {
        if let Some(text) = item.into_text() {
            // A client that is gone shows at the next read.
            let _gone = self.to_client.send_item(FromServer::Frame(text.to_string()));
        }
    }
}
