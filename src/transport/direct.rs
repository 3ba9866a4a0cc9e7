//! The raw WebSocket on a plain TCP socket. The outbox writes, so that senders do not have to wake the session's task.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::frames::{Frames, Incoming};
use super::lingering::Lingering;
use super::websocket::{close_frame, failure};
use crate::figures::Carrier;
use crate::outbox::Outbox;
use crate::session::{Goodbye, Received, Transport};
use crate::shares::Share;

/// The maximum number of bytes of one read. All connections of a thread share this buffer.
const READ_AT_ONCE: usize = 16 << 10;

thread_local! {
    /// The shared read buffer, so that idle connections have none.
    static SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_AT_ONCE]);
}

/// A WebSocket on a TCP socket whose write half belongs to the session's outbox.
pub(crate) struct DirectWebSocket {
    socket: OwnedReadHalf,
    outbox: Arc<Outbox>,
    frames: Frames,
    closing: Closing,
    /// `None` unless a protocol error has ended the frames.
    lingering: Option<Box<Lingering>>,
    /// What the connection counts for. `None` if another server has accepted it.
    _share: Option<Share>,
}

/// Who has sent a closing frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    Open,
    ByServer,
    ByClient,
    /// The client goes away.
    ByLeavingClient,
}

impl DirectWebSocket {
    pub(crate) fn new(
        socket: OwnedReadHalf,
        share: Option<Share>,
        outbox: Arc<Outbox>,
        read: &[u8],
        limit: usize,
    ) -> Self {
        let frames = Frames::new(read, limit);
        Self { socket, outbox, frames, closing: Closing::Open, lingering: None, _share: share }
    }

    /// Handles a message or control frame. Returns what concerns the session.
    fn take(&mut self, incoming: Incoming) -> Option<Received> {
        match incoming {
            Incoming::Message(received) => Some(received),
            Incoming::Pong => None,
            Incoming::Ping(payload) => {
                if self.closing == Closing::Open {
                    self.write(Frame::pong(payload));
                }
                None
            }
            Incoming::Close(frame) => Some(self.take_close(frame)),
        }
    }

    /// Answers a closing frame with the same code, unless it is an answer itself.
    fn take_close(&mut self, frame: Option<CloseFrame>) -> Received {
        let is_leaving = frame.as_ref().is_some_and(|frame| frame.code == CloseCode::Away);
        if self.closing == Closing::Open {
            let allowed = frame.map(|frame| {
                if frame.code.is_allowed() { frame } else { close_frame(Goodbye::new(1002, "Protocol violation")) }
            });
            self.write(Frame::close(allowed));
        }
        self.closing = if is_leaving { Closing::ByLeavingClient } else { Closing::ByClient };
        self.closed()
    }

    const fn closed(&self) -> Received {
        match self.closing {
            Closing::ByLeavingClient => Received::Left,
            Closing::Open | Closing::ByServer | Closing::ByClient => Received::Closed,
        }
    }

    /// Discards all further input until the client's closing frame, so that the client can read the server's.
    fn linger(&mut self, goodbye: Goodbye) -> Received {
        let mut lingering = Box::new(Lingering::until_answer_to(goodbye, 0));
        lingering.discard(&self.frames.take_rest());
        self.lingering = Some(lingering);
        Received::Refused(goodbye)
    }

    /// Ready when the client has answered or is gone.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        loop {
            let read = self.poll_read(context);
            let rest = self.frames.take_rest();
            let Some(lingering) = &mut self.lingering else { return Poll::Ready(Received::Closed) };
            let is_over = match read {
                Poll::Ready(Ok(count)) => count == 0 || !lingering.discard(&rest),
                Poll::Ready(Err(_)) => true,
                Poll::Pending if lingering.is_answered() => true,
                Poll::Pending => return Poll::Pending,
            };
            if is_over {
                return Poll::Ready(Received::Closed);
            }
        }
    }

    /// Reads from the socket. Returns the number of bytes, which is zero at the end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SPACE.with_borrow_mut(|space| {
            let mut read = ReadBuf::new(space);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
            self.frames.push(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Adds a control frame to the outbox.
    fn write(&self, frame: Frame) {
        let mut bytes = Vec::with_capacity(frame.len());
        // Writing into a `Vec` never fails.
        let _written = frame.format(&mut bytes);
        self.outbox.push_bytes(Bytes::from(bytes));
    }
}

impl Transport for DirectWebSocket {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        if self.lingering.is_some() {
            return self.poll_linger(context);
        }
        if matches!(self.closing, Closing::ByClient | Closing::ByLeavingClient) {
            return Poll::Ready(self.closed());
        }
        loop {
            let received = match self.frames.next() {
                Ok(Some(incoming)) => self.take(incoming),
                Ok(None) => match ready!(self.poll_read(context)) {
                    Ok(0) | Err(_) => Some(self.closed()),
                    Ok(_) => None,
                },
                Err(error) => match failure(&error) {
                    Received::Refused(goodbye) => Some(self.linger(goodbye)),
                    other => Some(other),
                },
            };
            if let Some(received) = received {
                return Poll::Ready(received);
            }
        }
    }

    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>) {
        // The outbox wakes this task when the socket accepts more.
        let _until_writable = outbox.poll_flush(context);
    }

    fn adopt(&mut self, outbox: &Arc<Outbox>) {
        self.outbox = Arc::clone(outbox);
    }

    fn buffered_bytes(&self) -> usize {
        self.frames.held()
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::WebSocket)
    }

    fn close(&mut self, _: &Arc<Outbox>, goodbye: Goodbye) {
        if self.closing == Closing::Open {
            self.closing = Closing::ByServer;
            self.write(Frame::close(Some(close_frame(goodbye))));
        }
    }
}
