//! [`Queue`]: the items that wait in an outbox, in order, and their total size.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use bolide_protocol::message::EncodedAnswer;
use bytes::Bytes;
use bytestring::ByteString;

use super::framing;

/// The maximum number of items for which [`SPARE`] has room.
const SPARE_ITEMS: usize = 64;

thread_local! {
    /// The memory of the queue that was emptied last, for the one that is filled next: an idle session has no queue in
    /// memory, and a busy one does not allocate.
    static SPARE: Cell<VecDeque<Item>> = const { Cell::new(VecDeque::new()) };
}

/// An item that waits for the client.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A DDP message.
    Message(ByteString),
    /// The `updated` and `result` of a method call: two messages.
    Answer(EncodedAnswer),
    /// A `ping` or `pong`, which resumption does not count.
    Heartbeat(ByteString),
    /// A message that replaces a waiting one with the same key.
    Volatile {
        /// The collection and the event.
        key: VolatileKey,
        /// The DDP message.
        frame: ByteString,
    },
    /// Bytes of the transport: WebSocket control frames.
    Bytes(Bytes),
}

/// A collection and an event.
pub(crate) type VolatileKey = (Arc<str>, Box<str>);

#[derive(Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// The number of messages and control frames.
    len: usize,
    bytes: usize,
    /// The number of those at the front that do not count towards the limits.
    exempt: usize,
    exempt_bytes: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of messages and bytes that count towards the limits.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.len.saturating_sub(self.exempt), self.bytes.saturating_sub(self.exempt_bytes))
    }

    /// Exempts the current items from the limits.
    pub(super) fn exempt_all(&mut self) {
        self.exempt = self.len;
        self.exempt_bytes = self.bytes;
    }

    pub(super) fn push(&mut self, item: Item) {
        if let Item::Volatile { key, .. } = &item
            && let Some(older) = self.items.iter_mut().find(|older| older.is_older(key))
        {
            self.bytes = (self.bytes + item.len()).saturating_sub(older.len());
            *older = item;
            return;
        }
        self.bytes += item.len();
        self.len += item.messages();
        self.make_room();
        self.items.push_back(item);
    }

    pub(super) fn push_front(&mut self, item: Item) {
        self.bytes += item.len();
        self.len += item.messages();
        self.make_room();
        self.items.push_front(item);
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        let (messages, bytes) = (item.messages(), item.len());
        self.bytes = self.bytes.saturating_sub(bytes);
        self.len = self.len.saturating_sub(messages);
        self.exempt = self.exempt.saturating_sub(messages);
        self.exempt_bytes = self.exempt_bytes.saturating_sub(bytes);
        if self.items.is_empty() {
            self.release_memory();
        }
        Some(item)
    }

    fn make_room(&mut self) {
        if self.items.capacity() == 0 {
            self.items = SPARE.take();
        }
    }

    fn release_memory(&mut self) {
        let items = std::mem::take(&mut self.items);
        if items.capacity() <= SPARE_ITEMS {
            SPARE.set(items);
        }
    }

    /// Drops all items except messages, and returns the messages. All of them count towards the limits.
    pub(super) fn keep_messages(&mut self) -> Vec<ByteString> {
        let mut messages = Vec::with_capacity(self.len);
        for item in std::mem::take(self).items {
            match item {
                Item::Message(frame) => messages.push(frame),
                Item::Answer(answer) => messages.extend([answer.updated().into(), answer.result().into()]),
                Item::Heartbeat(_) | Item::Volatile { .. } | Item::Bytes(_) => {}
            }
        }
        for frame in &messages {
            self.push(Item::Message(frame.clone()));
        }
        messages
    }
}

impl Item {
    /// Returns the number of bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => text.len(),
            Self::Answer(answer) => answer.updated().len() + answer.result().len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Returns the number of messages, or 1 for a control frame.
    const fn messages(&self) -> usize {
        if matches!(self, Self::Answer(_)) { 2 } else { 1 }
    }

    fn is_older(&self, newer: &VolatileKey) -> bool {
        matches!(self, Self::Volatile { key, .. } if key == newer)
    }

    /// Appends the item as WebSocket frames.
    pub(super) fn write_frames(&self, batch: &mut Vec<u8>) {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => {
                framing::write_text_frame(batch, text);
            }
            Self::Answer(answer) => {
                framing::write_text_frame(batch, answer.updated());
                framing::write_text_frame(batch, answer.result());
            }
            Self::Bytes(bytes) => batch.extend_from_slice(bytes),
        }
    }
}
