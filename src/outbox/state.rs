//! [`State`]: what is behind the lock of an outbox: the waiting messages, and the socket to which they are written.

use std::cell::RefCell;
use std::io;
use std::task::Waker;

use bolide_protocol::{DdpError, RawJson};
use bytestring::ByteString;

use super::answers::Answers;
use super::queue::{Item, Queue};
use super::{Condition, Link};
use crate::figures::TrafficBatch;

/// The number of bytes after which no further message is added to a write.
const WRITE_BYTES: usize = 64 << 10;

/// What waits for the client, and how the socket is.
pub(super) struct State {
    pub(super) link: Link,
    pub(super) waiting: Queue,
    /// The number of bursts that are running, possibly on other tasks.
    pub(super) bursts: usize,
    /// The rest of the last write, which the socket did not accept.
    pub(super) unsent: Vec<u8>,
    /// The bytes that a transport has taken and the client has not received.
    pub(super) on_the_way: usize,
    /// The number of sent messages, without heartbeats.
    pub(super) sent_count: u64,
    /// The messages that were sent and not added to those of all sessions.
    pub(super) sent: TrafficBatch,
    /// Whether bytes have been sent since the last call of `has_moved`.
    pub(super) has_moved: bool,
    pub(super) corked: bool,
    pub(super) condition: Condition,
    /// The handlers that wait for room.
    pub(super) waiting_for_room: Vec<Waker>,
}

/// Whether resumption counts a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Yes,
    No,
}

/// What is more than a limit allows.
pub(super) enum Excess {
    None,
    Messages,
    Bytes,
}

impl State {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            waiting: Queue::default(),
            bursts: 0,
            unsent: Vec::new(),
            on_the_way: 0,
            sent_count: 0,
            sent: TrafficBatch::default(),
            has_moved: false,
            corked: false,
            condition: Condition::Good,
            waiting_for_room: Vec::new(),
        }
    }

    pub(super) fn put(&mut self, item: Item) {
        // The closing frame follows the end of the session.
        let is_farewell =
            self.condition == Condition::Ended && matches!((&item, &self.link), (Item::Bytes(_), Link::Direct(_)));
        if self.condition == Condition::Good || is_farewell {
            self.waiting.push(item);
        }
    }

    /// Adds the answer to a method call.
    pub(super) fn put_answer(&mut self, id: &str, outcome: Result<Option<&RawJson>, &DdpError>) {
        if self.condition == Condition::Good {
            let is_written_soon = self.is_idle();
            let new = || if is_written_soon { Answers::in_spare_memory() } else { Answers::EMPTY };
            self.waiting.push_answer(new, id, outcome);
        }
    }

    /// Takes the next message and counts it as sent. Control frames of a WebSocket are dropped.
    pub(super) fn pop_text(&mut self) -> Option<ByteString> {
        loop {
            let (text, counted) = match self.waiting.pop_message()? {
                Item::Message(text) | Item::Volatile { frame: text, .. } => (text, Counted::Yes),
                Item::Heartbeat(text) => (text, Counted::No),
                // Answers are popped as messages.
                Item::Answers(_) | Item::Bytes(_) => continue,
            };
            self.note_sent(text.len(), counted);
            return Some(text);
        }
    }

    fn note_sent(&mut self, bytes: usize, counted: Counted) {
        self.sent_count += u64::from(counted == Counted::Yes);
        self.sent.add(bytes);
    }

    fn note_sent_item(&mut self, item: &Item) {
        match item {
            Item::Message(text) | Item::Volatile { frame: text, .. } => self.note_sent(text.len(), Counted::Yes),
            Item::Heartbeat(text) => self.note_sent(text.len(), Counted::No),
            Item::Answers(answers) => {
                answers.messages().for_each(|message| self.note_sent(message.len(), Counted::Yes));
            }
            Item::Bytes(_) => {}
        }
    }

    /// Notes that the socket is lost. An overflow stays an overflow: messages are missing, so the session must not be
    /// resumed.
    pub(super) fn lose_socket(&mut self) {
        if self.condition != Condition::Overflowed {
            self.condition = Condition::Broken;
        }
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.waiting.bytes() + self.unsent.len()
    }

    /// Returns the bytes that the client has not received, as far as the server keeps them.
    pub(super) fn held_bytes(&self) -> usize {
        self.pending_bytes() + self.on_the_way
    }

    pub(super) fn excess(&self, max_messages: usize, max_bytes: usize) -> Excess {
        let (messages, bytes) = self.waiting.counted();
        match bytes + self.unsent.len() + self.on_the_way {
            _ if self.bursts > 0 => Excess::None,
            _ if messages > max_messages => Excess::Messages,
            bytes if bytes > max_bytes => Excess::Bytes,
            _ => Excess::None,
        }
    }

    /// Writes to the socket until it does not accept more or no bytes are left.
    pub(super) fn write(&mut self) {
        while self.condition != Condition::Broken && self.unsent.is_empty() && !self.waiting.is_empty() {
            self.write_waiting();
        }
        if !self.unsent.is_empty() {
            self.write_unsent();
        }
    }

    /// Returns whether a message can be written to the socket without waiting.
    pub(super) fn is_idle(&self) -> bool {
        self.condition == Condition::Good
            && self.waiting.is_empty()
            && self.unsent.is_empty()
            && matches!(self.link, Link::Direct(_))
    }

    /// Writes one message without the queue, which must be empty.
    pub(super) fn write_alone(&mut self, item: &Item) {
        self.write_batch(|state, batch| {
            state.note_sent_item(item);
            item.write_frames(batch);
        });
    }

    fn write_waiting(&mut self) {
        self.write_batch(|state, batch| {
            while batch.len() < WRITE_BYTES {
                let Some(item) = state.waiting.pop() else { break };
                state.note_sent_item(&item);
                item.write_frames(batch);
                item.recycle();
            }
        });
    }

    /// Writes the bytes that `fill` appends, and keeps those that the socket does not accept.
    fn write_batch(&mut self, fill: impl FnOnce(&mut Self, &mut Vec<u8>)) {
        thread_local! {
            /// The frames of one write. Connections share it in place of a write buffer each.
            static BATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        BATCH.with_borrow_mut(|batch| {
            batch.clear();
            fill(self, batch);
            let written = self.try_write(batch);
            self.unsent.extend_from_slice(&batch[written..]);
            batch.shrink_to(2 * WRITE_BYTES);
        });
    }

    fn write_unsent(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.try_write(&unsent);
        if written < unsent.len() {
            self.unsent = unsent;
            self.unsent.drain(..written);
        } else {
            self.write();
        }
    }

    /// Returns the number of bytes that the socket accepted. If the socket is broken, this is all of them.
    fn try_write(&mut self, bytes: &[u8]) -> usize {
        let Link::Direct(socket) = &self.link else { return bytes.len() };
        let mut written = 0;
        while written < bytes.len() {
            match socket.try_write(&bytes[written..]) {
                Ok(count) => {
                    self.has_moved = true;
                    written += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.lose_socket();
                    return bytes.len();
                }
            }
        }
        written
    }
}
