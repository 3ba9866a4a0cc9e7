//! [`Queue`]: the items that wait in an outbox, in order, and their total size.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use bolide_protocol::{DdpError, RawJson};
use bytes::Bytes;
use bytestring::ByteString;

use super::answers::{self, Answers};
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
    /// The `updated` and `result` of method calls.
    Answers(Answers),
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

    /// Adds the answer to a method call, to the last item if that has answers as well. Otherwise, `new` are the answers to
    /// which it is added.
    pub(super) fn push_answer(
        &mut self,
        new: impl FnOnce() -> Answers,
        id: &str,
        outcome: Result<Option<&RawJson>, &DdpError>,
    ) {
        let Some(Item::Answers(answers)) = self.items.back_mut().filter(|last| last.has_room_for_answer()) else {
            return self.push(Item::answer(new(), id, outcome));
        };
        self.bytes += answers.add(id, outcome);
        self.len += answers::MESSAGES;
    }

    pub(super) fn push_front(&mut self, item: Item) {
        self.bytes += item.len();
        self.len += item.messages();
        self.make_room();
        self.items.push_front(item);
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.note_popped(item.messages(), item.len());
        Some(item)
    }

    /// Pops the first item. Of answers, pops only the first message.
    pub(super) fn pop_message(&mut self) -> Option<Item> {
        let Some(Item::Answers(answers)) = self.items.front_mut() else { return self.pop() };
        // Answers in a queue have a message.
        let message = answers.pop()?;
        if answers.count() == 0
            && let Some(sent) = self.items.pop_front()
        {
            sent.recycle();
        }
        self.note_popped(1, message.len());
        Some(Item::Message(message))
    }

    fn note_popped(&mut self, messages: usize, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.len = self.len.saturating_sub(messages);
        self.exempt = self.exempt.saturating_sub(messages);
        self.exempt_bytes = self.exempt_bytes.saturating_sub(bytes);
        if self.items.is_empty() {
            self.release_memory();
        }
    }

    #[cfg(test)]
    pub(super) fn answers(&self) -> impl Iterator<Item = &Answers> {
        self.items.iter().filter_map(|item| if let Item::Answers(answers) = item { Some(answers) } else { None })
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
                Item::Answers(answers) => messages.extend(answers.messages().map(ByteString::from)),
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
    /// Returns the answer to a method call, added to `answers`.
    pub(super) fn answer(mut answers: Answers, id: &str, outcome: Result<Option<&RawJson>, &DdpError>) -> Self {
        answers.add(id, outcome);
        Self::Answers(answers)
    }

    /// Returns the number of bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => text.len(),
            Self::Answers(answers) => answers.bytes(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Returns the number of messages, or 1 for a control frame.
    const fn messages(&self) -> usize {
        if let Self::Answers(answers) = self { answers.count() } else { 1 }
    }

    const fn has_room_for_answer(&self) -> bool {
        matches!(self, Self::Answers(answers) if answers.has_room())
    }

    fn is_older(&self, newer: &VolatileKey) -> bool {
        matches!(self, Self::Volatile { key, .. } if key == newer)
    }

    /// Drops an item that was sent. Its memory may be used again.
    pub(super) fn recycle(self) {
        if let Self::Answers(answers) = self {
            answers.recycle();
        }
    }

    /// Appends the item as WebSocket frames.
    pub(super) fn write_frames(&self, batch: &mut Vec<u8>) {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => {
                framing::write_text_frame(batch, text);
            }
            Self::Answers(answers) => {
                answers.messages().for_each(|message| framing::write_text_frame(batch, message));
            }
            Self::Bytes(bytes) => batch.extend_from_slice(bytes),
        }
    }
}
