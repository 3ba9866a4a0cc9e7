//! [`Inbox`]: the client's messages that wait until earlier ones have ended or unblocked.

use std::collections::VecDeque;

use bolide_protocol::RawJson;
use bolide_protocol::message::{MalformedMessage, MethodCall, Subscribe};

use crate::figures::Limit;
use crate::limits::Limits;

/// A waiting message.
pub(super) enum Queued {
    Method(MethodCall),
    Sub(Subscribe),
    Unsub(Option<RawJson>),
    /// A malformed message that is answered in the order of the queue, with the quoted frame.
    Malformed(MalformedMessage, Option<RawJson>),
}

#[derive(Default)]
pub(super) struct Inbox {
    /// The messages, each with the length of its frame.
    waiting: VecDeque<(Queued, usize)>,
    bytes: usize,
}

/// The error of a full inbox, with the limit that is reached.
pub(super) struct Full(pub(super) Limit);

impl Inbox {
    pub(super) fn push(&mut self, message: Queued, bytes: usize, limits: &Limits) -> Result<(), Full> {
        if self.waiting.len() >= limits.queued_messages {
            return Err(Full(Limit::QueuedMessages));
        }
        if self.bytes + bytes > limits.queued_bytes {
            return Err(Full(Limit::QueuedBytes));
        }
        self.bytes += bytes;
        self.waiting.push_back((message, bytes));
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let (message, bytes) = self.waiting.pop_front()?;
        self.bytes -= bytes;
        if self.waiting.is_empty() && self.waiting.capacity() > 16 {
            // Idle sessions release the memory of busy times.
            self.waiting = VecDeque::new();
        }
        Some(message)
    }

    /// Returns the total length of the waiting messages.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.waiting.iter().map(|(message, _)| message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
        self.bytes = 0;
    }
}
