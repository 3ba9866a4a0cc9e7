//! [`MemoryConnection`]: the connection of a client in the same process, without a socket. It uses the same sessions
//! and frames as other transports.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::figures::Carrier;
use crate::outbox::Outbox;
use crate::session::{Goodbye, Received, Transport};

/// The maximum number of frames in transit in one direction.
const FRAMES_ON_THE_WAY: usize = 64;

/// The client's end of a connection within the process, see [`App::connect`](crate::App::connect). Dropping it is like
/// losing a socket.
///
/// It sends and receives frames as text. `testing::TestClient` (feature `testing`) calls methods and subscribes over
/// it.
pub struct MemoryConnection {
    to_server: mpsc::Sender<Bytes>,
    from_server: mpsc::Receiver<String>,
    closed: Arc<OnceLock<u16>>,
}

/// What a [`MemoryConnection`] receives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromServer {
    /// A frame.
    Frame(String),
    /// The server closed the connection, with a WebSocket close code.
    Closed(u16),
}

impl MemoryConnection {
    /// Sends a frame. Waits while 64 frames are in transit. Does nothing if the server has closed the connection.
    pub async fn send(&self, frame: impl Into<String>) {
        self.send_bytes(frame.into()).await;
    }

    /// Sends a frame of bytes, like [`send`](Self::send). The server answers bytes that are not UTF-8 with an `error`.
    pub async fn send_bytes(&self, frame: impl Into<Vec<u8>>) {
        let _gone = self.to_server.send(frame.into().into()).await;
    }

    /// Receives the next frame, or the close code. Returns `None` if the server dropped the connection without a close
    /// code.
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

/// The server's end of the connection.
pub(crate) struct MemoryTransport {
    from_client: mpsc::Receiver<Bytes>,
    to_client: PollSender<String>,
    closed: Arc<OnceLock<u16>>,
    message_bytes: usize,
}

/// Creates both ends of a connection. `message_bytes` is the maximum length of the client's messages.
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
                Poll::Ready(Received::Refused(Goodbye::too_long()))
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
                    // While the outbox is congested, `poll_receive` is not called and cannot report the end.
                    outbox.break_off();
                }
                return;
            }
            let Some(message) = outbox.take() else { break };
            // If the client is gone, the next `poll_reserve` fails.
            let _gone = self.to_client.send_item(message.to_string());
        }
        if self.closed.get().is_some() && outbox.is_empty() {
            self.to_client.close();
            context.waker().wake_by_ref();
        }
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::Memory)
    }

    fn close(&mut self, _: &Arc<Outbox>, goodbye: Goodbye) {
        // `poll_send` closes it after the waiting messages.
        let _twice = self.closed.set(goodbye.code);
    }
}
