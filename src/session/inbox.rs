//! The inbox: messages of the client that wait for their turn. One at a time runs, until it ends or unblocks.

use std::collections::VecDeque;

use bolide_protocol::RawJson;
use bolide_protocol::message::{MalformedMessage, MethodCall, Subscribe};

use crate::limits::Limits;

/// A message that waits for its turn.
pub(super) enum Queued {
    Method(MethodCall),
    Sub(Subscribe),
    Unsub(Option<RawJson>),
    /// What could not be understood is answered in its turn as well.
    Malformed(MalformedMessage, Option<RawJson>),
}

pub(super) struct Inbox {
    /// With the length of the frame that it came in.
    waiting: VecDeque<(Queued, usize)>,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
}

/// The inbox is full.
pub(super) struct Full;

impl Inbox {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            max_messages: limits.queued_messages,
            max_bytes: limits.queued_bytes,
        }
    }

    pub(super) fn push(&mut self, message: Queued, bytes: usize) -> Result<(), Full> {
        if self.waiting.len() >= self.max_messages || self.bytes + bytes > self.max_bytes {
            return Err(Full);
        }
        self.bytes += bytes;
        self.waiting.push_back((message, bytes));
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let (message, bytes) = self.waiting.pop_front()?;
        self.bytes -= bytes;
        if self.waiting.is_empty() && self.waiting.capacity() > 16 {
            // An idle session keeps no memory of a busy time.
            self.waiting = VecDeque::new();
        }
        Some(message)
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
