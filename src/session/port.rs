//! [`Transport`]: the trait that transports implement, with the types that it uses.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use bytestring::ByteString;

use crate::figures::Carrier;
use crate::outbox::Outbox;

/// A connection to a client, as a driver uses it. The outbox is a parameter because it changes when the client resumes
/// an older session.
pub(crate) trait Transport: Send {
    /// Receives the client's next frame.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received>;

    /// Sends waiting messages of the outbox, as far as the client accepts them. Wakes the task when it accepts more.
    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>);

    /// Returns the number of bytes from the client that the session has not received, such as a part of a message.
    fn buffered_bytes(&self) -> usize {
        0
    }

    /// Returns what carries the messages. `None` if there is no connection.
    fn carrier(&self) -> Option<Carrier>;

    /// Switches to the outbox of another session, which the client resumes.
    fn adopt(&mut self, _outbox: &Arc<Outbox>) {}

    /// Returns whether the client needs further connections to receive what is sent.
    fn needs_listener(&self) -> bool {
        false
    }

    /// Closes the connection after the waiting messages of the outbox.
    fn close(&mut self, outbox: &Arc<Outbox>, goodbye: Goodbye);
}

/// Input from a client.
pub(crate) enum Received {
    /// A frame that is valid UTF-8.
    Frame(ByteString),
    /// A frame that is not valid UTF-8.
    Garbage,
    /// An error after which the transport cannot continue.
    Refused(Goodbye),
    /// The client has closed the connection.
    Closed,
    /// The same with the code 1001: the client goes away, as a browser does with a page that is closed. It will not resume
    /// the session. Meteor's client closes with 1000 before it connects again.
    Left,
}

impl Received {
    /// Returns the number of bytes of the frame.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            Self::Garbage | Self::Refused(_) | Self::Closed | Self::Left => 0,
        }
    }

    pub(crate) fn from_bytes(bytes: Bytes) -> Self {
        ByteString::try_from(bytes).map_or(Self::Garbage, Self::Frame)
    }
}

/// The reason for closing a connection: a WebSocket close code and a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

impl Goodbye {
    pub(crate) const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// A message exceeds [`Limits::message_bytes`](crate::Limits::message_bytes).
    pub(crate) const fn too_long() -> Self {
        Self::new(1009, "The message is too long")
    }

    pub(crate) const fn normal() -> Self {
        Self::new(1000, "Normal closure")
    }
}

/// The transport of a session without a connection.
pub(crate) struct Gone;

impl Transport for Gone {
    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Received> {
        Poll::Pending
    }

    fn poll_send(&mut self, _: &Arc<Outbox>, _: &mut Context<'_>) {}

    fn carrier(&self) -> Option<Carrier> {
        None
    }

    fn close(&mut self, _: &Arc<Outbox>, _: Goodbye) {}
}
