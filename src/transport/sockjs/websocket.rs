//! [`SockJsWebSocket`]: a WebSocket whose messages contain SockJS frames.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bolide_protocol::sockjs::{self, Payload, Sent};
use bytes::Bytes;
use futures::{Sink as _, SinkExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::messages;
use super::pace::Pace;
use crate::figures::Carrier;
use crate::outbox::Outbox;
use crate::session::{Goodbye, Received, Transport};
use crate::transport::websocket::{Reader, accept, close_frame};

/// The number of bytes after which no further message is added to a frame.
const FRAME_BYTES: usize = 64 << 10;

/// The maximum ratio of the length of a frame to its message, because every character can be escaped.
const ESCAPED: usize = 2;

/// The maximum length of the brackets and quotes around a message.
const WRAPPING: usize = 16;

pub(in crate::transport) struct SockJsWebSocket<Io> {
    reader: Reader<Io>,
    /// The rest of the client's last frame.
    received: Option<Payload>,
    message_limit: usize,
    greeted: bool,
    /// `None` when the connection is being closed.
    heartbeat: Option<Heartbeat>,
    ping_due: bool,
    /// Whether the client has broken the framing. It then does not receive a closing SockJS frame.
    is_broken: bool,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> SockJsWebSocket<Io> {
    pub(in crate::transport) async fn new(io: Io, read: Bytes, message_limit: usize, pace: Pace) -> Self {
        let limit = message_limit.saturating_mul(ESCAPED).saturating_add(WRAPPING);
        Self {
            reader: accept(io, read, limit).await,
            received: None,
            message_limit,
            greeted: false,
            heartbeat: Some(Heartbeat::new(pace)),
            ping_due: false,
            is_broken: false,
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + Send> Transport for SockJsWebSocket<Io> {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        // Reads received messages first, because the pong may follow them.
        if let Poll::Ready(received) = self.poll_message(context) {
            return Poll::Ready(received);
        }
        ready!(self.poll_heartbeat(context));
        Poll::Ready(Received::Refused(Goodbye::new(3000, "No response from heartbeat")))
    }

    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>) {
        loop {
            match Pin::new(&mut self.reader.stream).poll_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return outbox.break_off(),
                Poll::Pending => return,
            }
            let Some(message) = self.next_message(outbox) else {
                break;
            };
            if Pin::new(&mut self.reader.stream).start_send(message).is_err() {
                return outbox.break_off();
            }
        }
        let _until_writable = Pin::new(&mut self.reader.stream).poll_flush(context);
    }

    fn buffered_bytes(&self) -> usize {
        self.reader.buffered_bytes() + self.received.as_ref().map_or(0, Payload::remaining_bytes)
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::SockJsWebSocket)
    }

    fn close(&mut self, outbox: &Arc<Outbox>, goodbye: Goodbye) {
        self.heartbeat = None;
        while let Some(message) = self.next_message(outbox) {
            self.put(message);
        }
        if !self.is_broken {
            self.put(Message::text(sockjs::close(goodbye.code, goodbye.reason)));
        }
        self.put(Message::Close(Some(close_frame(goodbye))));
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> SockJsWebSocket<Io> {
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        loop {
            if let Some(sent) = self.received.as_mut().and_then(Iterator::next) {
                return Poll::Ready(self.take(sent));
            }
            self.received = None;
            match ready!(self.poll_reader(context)) {
                Received::Frame(frame) if frame.is_empty() => {}
                Received::Frame(frame) => match Payload::parse(&frame) {
                    Ok(payload) => self.received = Some(payload),
                    Err(_) => return Poll::Ready(self.break_off()),
                },
                Received::Garbage => return Poll::Ready(self.break_off()),
                received => return Poll::Ready(received),
            }
        }
    }

    /// Ready when the client has not answered a ping in time.
    fn poll_heartbeat(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(heartbeat) = &mut self.heartbeat else {
            return Poll::Pending;
        };
        match ready!(heartbeat.poll(context)) {
            Beat::Ping => {
                self.ping_due = true;
                Poll::Pending
            }
            Beat::Lost => {
                self.heartbeat = None;
                Poll::Ready(())
            }
        }
    }

    fn poll_reader(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        let received = self.reader.poll_receive(context);
        if self.reader.take_pong()
            && let Some(heartbeat) = &mut self.heartbeat
        {
            heartbeat.hear_pong(context);
        }
        received
    }

    fn take(&mut self, sent: Sent) -> Received {
        match sent {
            Sent::Text(text) if text.len() > self.message_limit => self.refuse(Goodbye::too_long()),
            Sent::Text(text) => Received::Frame(text),
            Sent::NoText => Received::Garbage,
        }
    }

    fn break_off(&mut self) -> Received {
        self.is_broken = true;
        self.refuse(Goodbye::new(3000, "Broken framing."))
    }

    /// Discards the rest of the frame. Further frames are read: the WebSocket is intact, and the client's closing frame
    /// follows.
    fn refuse(&mut self, goodbye: Goodbye) -> Received {
        self.received = None;
        Received::Refused(goodbye)
    }

    fn next_message(&mut self, outbox: &Outbox) -> Option<Message> {
        if !self.greeted {
            self.greeted = true;
            return Some(Message::text(sockjs::OPEN));
        }
        if std::mem::take(&mut self.ping_due) {
            return Some(Message::Ping(Bytes::new()));
        }
        messages::take_frame(outbox, FRAME_BYTES).map(Message::text)
    }

    /// Sends without waiting. An error is reported by the next read.
    fn put(&mut self, message: Message) {
        let _when_flushed = self.reader.stream.start_send_unpin(message);
    }
}

/// Sends pings and checks their answers.
struct Heartbeat {
    timer: Pin<Box<Sleep>>,
    pace: Pace,
    /// Whether a ping has not been answered yet.
    awaits_pong: bool,
}

/// An event of the heartbeat.
enum Beat {
    Ping,
    Lost,
}

impl Heartbeat {
    fn new(pace: Pace) -> Self {
        Self { timer: Box::pin(sleep(pace.heartbeat)), pace, awaits_pong: false }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Beat> {
        ready!(self.timer.as_mut().poll(context));
        if self.awaits_pong {
            return Poll::Ready(Beat::Lost);
        }
        self.awaits_pong = true;
        self.set_timer(self.pace.pong, context);
        Poll::Ready(Beat::Ping)
    }

    fn hear_pong(&mut self, context: &Context<'_>) {
        if self.awaits_pong {
            self.awaits_pong = false;
            self.set_timer(self.pace.heartbeat, context);
        }
    }

    fn set_timer(&mut self, duration: Duration, context: &Context<'_>) {
        self.timer.as_mut().reset(Instant::now() + duration);
        // The timer wakes this task only after it has been polled again.
        context.waker().wake_by_ref();
    }
}
