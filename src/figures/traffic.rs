//! [`Traffic`]: the messages from clients and to them. A poll of a session counts its own first, and adds them at its end, so
//! that pipelined messages share the additions.

use super::Count;

/// The messages of all sessions, and their bytes: the text of messages, without the frames of a transport.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) received: MessageCount,
    pub(crate) sent: MessageCount,
}

/// Messages in one direction.
#[derive(Default)]
pub(crate) struct MessageCount {
    pub(crate) messages: Count,
    pub(crate) bytes: Count,
}

/// Messages that were not added yet.
#[derive(Default)]
pub(crate) struct TrafficBatch {
    messages: u64,
    bytes: u64,
}

impl TrafficBatch {
    pub(crate) const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// Adds the messages to those of all sessions.
    pub(crate) fn tell(&mut self, all: &MessageCount) {
        if self.messages == 0 {
            return;
        }
        let Self { messages, bytes } = std::mem::take(self);
        all.messages.many(messages);
        all.bytes.many(bytes);
    }
}
