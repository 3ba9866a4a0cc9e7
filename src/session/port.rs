//! The port that transports implement: what a session needs of the connection to its client.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use bytestring::ByteString;

use crate::outbox::Outbox;

/// A connection to a client, as a driver uses it. Every function is given the outbox of the session that the connection
/// serves now, since a client can resume an older session.
pub(crate) trait Transport: Send {
    /// Receives the next frame of the client.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Received>;

    /// Sends what waits in the outbox, as far as the client takes it. The task is woken when it takes more.
    fn poll_send(&mut self, outbox: &Arc<Outbox>, context: &mut Context<'_>);

    /// Serves another session from now on, whose outbox this is: the client resumes that session.
    fn adopt(&mut self, _outbox: &Arc<Outbox>) {}

    /// Says goodbye, after what waits in the outbox.
    fn close(&mut self, outbox: &Arc<Outbox>, goodbye: Goodbye);
}

/// What comes from a client.
pub(crate) enum Received {
    /// A frame of text, or of bytes that are text.
    Frame(ByteString),
    /// A frame of bytes that are not text.
    Garbage,
    /// Something after which the transport cannot go on.
    Refused(Goodbye),
    /// The client is gone.
    Closed,
}

impl Received {
    pub(crate) fn from_bytes(bytes: Bytes) -> Self {
        ByteString::try_from(bytes).map_or(Self::Garbage, Self::Frame)
    }
}

/// Why a connection is closed: a WebSocket close code and a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

impl Goodbye {
    pub(crate) const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    pub(crate) const fn normal() -> Self {
        Self::new(1000, "Normal closure")
    }
}

/// The transport of a session whose client is gone.
pub(crate) struct Gone;

impl Transport for Gone {
    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Received> {
        Poll::Pending
    }

    fn poll_send(&mut self, _: &Arc<Outbox>, _: &mut Context<'_>) {}

    fn close(&mut self, _: &Arc<Outbox>, _: Goodbye) {}
}
