//! The inbox: messages of the client that wait for their turn. One at a time runs, until it ends or unblocks.

use std::collections::VecDeque;

use bolide_protocol::RawJson;
use bolide_protocol::message::{MalformedMessage, MethodCall, Subscribe};

/// A message that waits for its turn.
pub(super) enum Queued {
    Method(MethodCall),
    Sub(Subscribe),
    Unsub(Option<RawJson>),
    /// What could not be understood is answered in its turn as well.
    Malformed(MalformedMessage, Option<RawJson>),
}

pub(super) struct Inbox {
    waiting: VecDeque<Queued>,
    limit: usize,
}

/// The inbox is full.
pub(super) struct Full;

impl Inbox {
    pub(super) const fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), limit }
    }

    pub(super) fn push(&mut self, message: Queued) -> Result<(), Full> {
        if self.waiting.len() >= self.limit {
            return Err(Full);
        }
        self.waiting.push_back(message);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let message = self.waiting.pop_front();
        if self.waiting.is_empty() && self.waiting.capacity() > 16 {
            // An idle session keeps no memory of a busy time.
            self.waiting = VecDeque::new();
        }
        message
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.waiting.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
    }
}
