//! [`Queue`]: the items that wait in an outbox, in order, and their total size.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::framing;

/// An item that waits for the client.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A DDP message.
    Message(ByteString),
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
    bytes: usize,
    /// The number of items at the front that do not count towards the limits.
    exempt: usize,
    exempt_bytes: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of items and bytes that count towards the limits.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.items.len().saturating_sub(self.exempt), self.bytes.saturating_sub(self.exempt_bytes))
    }

    /// Exempts the current items from the limits.
    pub(super) fn exempt_all(&mut self) {
        self.exempt = self.items.len();
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
        self.items.push_back(item);
    }

    pub(super) fn push_front(&mut self, item: Item) {
        self.bytes += item.len();
        self.items.push_front(item);
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.len());
        self.exempt = self.exempt.saturating_sub(1);
        self.exempt_bytes = self.exempt_bytes.saturating_sub(item.len());
        Some(item)
    }

    /// Drops all items except messages, and returns the messages. All of them count towards the limits.
    pub(super) fn keep_messages(&mut self) -> Vec<ByteString> {
        let messages = std::mem::take(self).items.into_iter().filter_map(|item| match item {
            Item::Message(frame) => Some(frame),
            _ => None,
        });
        let messages: Vec<ByteString> = messages.collect();
        for frame in &messages {
            self.push(Item::Message(frame.clone()));
        }
        messages
    }
}

impl Item {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    fn is_older(&self, newer: &VolatileKey) -> bool {
        matches!(self, Self::Volatile { key, .. } if key == newer)
    }

    /// Returns the text, or `None` for a control frame of the transport.
    pub(crate) fn into_text(self) -> Option<ByteString> {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => Some(text),
            Self::Bytes(_) => None,
        }
    }

    /// Returns the number of messages as which resumption counts the item: 0 or 1.
    pub(super) const fn count(&self) -> u64 {
        match self {
            Self::Message(_) | Self::Volatile { .. } => 1,
            Self::Heartbeat(_) | Self::Bytes(_) => 0,
        }
    }

    /// Appends the item as a WebSocket frame.
    pub(super) fn write_frame(&self, batch: &mut Vec<u8>) {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => {
                framing::write_text_frame(batch, text);
            }
            Self::Bytes(bytes) => batch.extend_from_slice(bytes),
        }
    }
}
