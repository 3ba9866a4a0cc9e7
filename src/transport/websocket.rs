//! The raw WebSocket on streams that are not plain TCP sockets, such as TLS: tungstenite reads, and the session's task
//! writes.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use bytestring::ByteString;
use futures::{Sink as _, SinkExt as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::lingering::Lingering;
use crate::figures::Carrier;
use crate::outbox::Outbox;
use crate::session::{Goodbye, Received, Transport};

/// The size of tungstenite's buffers of each connection, also of idle ones. Its default is 128 KiB.
const READ_BUFFER: usize = 1 << 10;

/// A WebSocket over any stream.
pub(crate) struct QueuedWebSocket<Io> {
    reader: Reader<Io>,
}

/// Reads frames. After a protocol error it discards all further input until the client's closing frame, so that the client
/// can read the server's.
pub(super) struct Reader<Io> {
    pub(super) stream: WebSocketStream<Counting<Io>>,
    /// The maximum length of a message.
    limit: usize,
    /// `None` unless a protocol error has ended the frames.
    lingering: Option<Lingering>,
    heard_pong: bool,
    /// Whether the client has said that it goes away.
    is_leaving: bool,
}

/// A stream that counts what is read from it.
pub(super) struct Counting<Io> {
    io: Io,
    /// The bytes that were read since the last message.
    read: usize,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> QueuedWebSocket<Io> {
    pub(crate) async fn new(io: Io, read: Bytes, limit: usize) -> Self {
        Self { reader: accept(io, read, limit).await }
    }
}

pub(super) async fn accept<Io: AsyncRead + AsyncWrite + Unpin>(io: Io, read: Bytes, limit: usize) -> Reader<Io> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(READ_BUFFER)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit));
    // Copied, because hyper's bytes would keep its whole buffer alive.
    let io = Counting { io, read: 0 };
    let stream = WebSocketStream::from_partially_read(io, read.to_vec(), Role::Server, Some(config)).await;
    Reader { stream, limit, lingering: None, heard_pong: false, is_leaving: false }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + Send> Transport for QueuedWebSocket<Io> {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        self.reader.poll_receive(context)
    }

    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>) {
        let mut stream = Pin::new(&mut self.reader.stream);
        while let Poll::Ready(ready) = stream.as_mut().poll_ready(context) {
            if ready.is_err() {
                return outbox.break_off();
            }
            let Some(text) = outbox.take() else { break };
            if let Some(message) = to_message(text)
                && stream.as_mut().start_send(message).is_err()
            {
                return outbox.break_off();
            }
        }
        // If pending, the task is woken when the socket is writable.
        if let Poll::Ready(Err(_)) = stream.poll_flush(context) {
            outbox.break_off();
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.reader.buffered_bytes()
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::WebSocket)
    }

    fn close(&mut self, outbox: &Arc<Outbox>, goodbye: Goodbye) {
        while let Some(message) = outbox.take().and_then(to_message) {
            if Pin::new(&mut self.reader.stream).start_send(message).is_err() {
                return;
            }
        }
        let _when_flushed = self.reader.stream.start_send_unpin(Message::Close(Some(close_frame(goodbye))));
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Reader<Io> {
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        if self.lingering.is_some() {
            return self.poll_linger(context);
        }
        loop {
            let received = match std::task::ready!(Pin::new(&mut self.stream).poll_next(context)) {
                Some(Ok(Message::Text(text))) => Received::from_bytes(text.into()),
                Some(Ok(Message::Binary(bytes))) => Received::from_bytes(bytes),
                Some(Ok(Message::Pong(_))) => {
                    self.heard_pong = true;
                    continue;
                }
                // tungstenite answers these frames itself.
                Some(Ok(Message::Close(frame))) => {
                    self.is_leaving |= frame.is_some_and(|frame| frame.code == CloseCode::Away);
                    continue;
                }
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => match failure(&error) {
                    Received::Closed => self.closed(),
                    received => received,
                },
                None => self.closed(),
            };
            if let Received::Refused(goodbye) = received {
                self.lingering = Some(Lingering::until_answer_to(goodbye, self.buffered_bytes()));
            }
            self.stream.get_mut().read = 0;
            return Poll::Ready(received);
        }
    }

    /// Returns the number of bytes of an incomplete message. Control frames that arrived after the last message count, too.
    pub(super) fn buffered_bytes(&self) -> usize {
        match &self.lingering {
            Some(lingering) => lingering.held(),
            None => self.stream.get_ref().read.min(self.limit),
        }
    }

    const fn closed(&self) -> Received {
        if self.is_leaving { Received::Left } else { Received::Closed }
    }

    /// Returns whether a pong has arrived since the last call.
    pub(super) fn take_pong(&mut self) -> bool {
        std::mem::take(&mut self.heard_pong)
    }

    /// Discards all further input.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        let Some(lingering) = &mut self.lingering else { return Poll::Ready(Received::Closed) };
        let mut space = [MaybeUninit::uninit(); READ_BUFFER];
        loop {
            let mut buffer = ReadBuf::uninit(&mut space);
            let read = Pin::new(self.stream.get_mut()).poll_read(context, &mut buffer);
            let is_over = match read {
                Poll::Ready(Ok(())) => buffer.filled().is_empty() || !lingering.discard(buffer.filled()),
                Poll::Ready(Err(_)) => true,
                Poll::Pending if lingering.is_answered() => true,
                Poll::Pending => return Poll::Pending,
            };
            if is_over {
                return Poll::Ready(Received::Closed);
            }
        }
    }
}

pub(super) fn failure(error: &Error) -> Received {
    match error {
        Error::Capacity(_) => Received::Refused(Goodbye::too_long()),
        Error::Utf8(_) => Received::Refused(Goodbye::new(1007, "The text is not UTF-8")),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Received::Closed,
        Error::Protocol(_) => Received::Refused(Goodbye::new(1002, "Not the WebSocket protocol")),
        _ => Received::Closed,
    }
}

fn to_message(text: ByteString) -> Option<Message> {
    Utf8Bytes::try_from(text.into_bytes()).ok().map(Message::Text)
}

pub(super) fn close_frame(goodbye: Goodbye) -> CloseFrame {
    CloseFrame { code: CloseCode::from(goodbye.code), reason: goodbye.reason.into() }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Counting<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.io).poll_read(context, buffer);
        self.read = self.read.saturating_add(buffer.filled().len() - before);
        outcome
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Counting<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
