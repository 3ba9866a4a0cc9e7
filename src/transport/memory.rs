//! [`MemoryConnection`]: a client in the same process, without a socket. It speaks the same DDP through the same session.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::outbox::Outbox;
use crate::session::{Goodbye, Received, Transport};

/// How many frames may be on their way in one direction.
const FRAMES_ON_THE_WAY: usize = 64;

/// The client's end of a connection within the process. Dropping it is as losing a socket.
pub struct MemoryConnection {
    to_server: mpsc::Sender<Bytes>,
    from_server: mpsc::Receiver<String>,
    closed: Arc<OnceLock<u16>>,
}

/// What a server says to a [`MemoryConnection`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromServer {
    /// A frame.
    Frame(String),
    /// The server closed the connection, with a WebSocket close code.
    Closed(u16),
}

impl MemoryConnection {
    /// Sends a frame. A server that is gone does not hear it.
    pub async fn send(&self, frame: impl Into<String>) {
        self.send_bytes(frame.into()).await;
    }

    /// Sends a frame of bytes, which should be text.
    pub async fn send_bytes(&self, frame: impl Into<Vec<u8>>) {
        let _gone = self.to_server.send(frame.into().into()).await;
    }

    /// The next frame; nothing once the server is gone without a close code.
    pub async fn receive(&mut self) -> Option<FromServer> {
        match self.from_server.recv().await {
            Some(frame) => Some(FromServer::Frame(frame)),
            None => self.closed.get().copied().map(FromServer::Closed),
        }
    }
}

impl fmt::Debug for MemoryConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryConnection").finish_non_exhaustive()
    }
}

/// The server's end.
pub(crate) struct MemoryTransport {
    from_client: mpsc::Receiver<Bytes>,
    to_client: PollSender<String>,
    closed: Arc<OnceLock<u16>>,
    message_bytes: usize,
}

/// Both ends of a connection that takes messages of this length at most.
pub(crate) fn pair(message_bytes: usize) -> (MemoryConnection, MemoryTransport) {
    let (to_server, from_client) = mpsc::channel(FRAMES_ON_THE_WAY);
    let (to_client, from_server) = mpsc::channel(FRAMES_ON_THE_WAY);
    let closed = Arc::new(OnceLock::new());
    let connection = MemoryConnection { to_server, from_server, closed: Arc::clone(&closed) };
    let to_client = PollSender::new(to_client);
    (connection, MemoryTransport { from_client, to_client, closed, message_bytes })
}

impl Transport for MemoryTransport {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        match self.from_client.poll_recv(context) {
            Poll::Ready(Some(frame)) if frame.len() > self.message_bytes => {
                Poll::Ready(Received::Refused(Goodbye::new(1009, "The message is too long")))
            }
            Poll::Ready(Some(frame)) => Poll::Ready(Received::from_bytes(frame)),
            Poll::Ready(None) => Poll::Ready(Received::Closed),
            Poll::Pending if self.to_client.is_closed() => Poll::Ready(Received::Closed),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>) {
        while let Poll::Ready(reserved) = self.to_client.poll_reserve(context) {
            if reserved.is_err() {
                if outbox.is_congested() {
                    // Nothing is read from a client for which so much waits: that it is gone shows here alone.
                    outbox.break_off();
                }
                return;
            }
            let Some(item) = outbox.take() else { break };
            if let Some(text) = item.into_text() {
                // A client that is gone shows at the next item.
                let _gone = self.to_client.send_item(text.to_string());
            }
        }
        if self.closed.get().is_some() && outbox.is_empty() {
            self.to_client.close();
            context.waker().wake_by_ref();
        }
    }

    fn close(&mut self, _: &Arc<Outbox>, goodbye: Goodbye) {
        // It closes when all that waits has been handed over.
        let _twice = self.closed.set(goodbye.code);
    }
}
