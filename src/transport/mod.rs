//! Transports: how frames come from a client and go to it. They know nothing of methods.
//!
//! - [`listener`] accepts sockets, and ends them in order;
//! - [`http`] answers the requests of a listener and upgrades those to `/websocket`;
//! - [`websocket`] is the raw WebSocket that DDP clients outside of browsers speak;
//! - [`sockjs`] is what browsers speak, where Meteor's client runs;
//! - [`memory`] is a pair of queues, for tests and for clients in the same process.

pub(crate) mod framing;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod peer;
pub(crate) mod proxies;
pub(crate) mod sockjs;
pub(crate) mod websocket;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use bytestring::ByteString;

use crate::session::Session;

/// What a driver needs of a transport.
pub(crate) trait Transport: Send {
    /// The next frame of the client.
    fn poll_receive(&mut self, session: &Arc<Session>, context: &mut Context<'_>) -> Poll<Received>;

    /// Hands on what waits in the session's outbox, as far as the client takes it. The task is woken when it takes more.
    fn poll_send(&mut self, session: &Arc<Session>, context: &mut Context<'_>);

    /// From now on it belongs to another session: the client resumes that one.
    fn adopt(&mut self, _session: &Arc<Session>) {}

    /// Says goodbye, after what waits in the outbox.
    fn close(&mut self, session: &Arc<Session>, goodbye: Goodbye);
}

/// What comes from a client.
pub(crate) enum Received {
    /// A frame of text, or of bytes that are text.
    Frame(ByteString),
    /// A frame of bytes that are no text.
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
    fn poll_receive(&mut self, _: &Arc<Session>, _: &mut Context<'_>) -> Poll<Received> {
        Poll::Pending
    }

    fn poll_send(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {}

    fn close(&mut self, _: &Arc<Session>, _: Goodbye) {}
}
