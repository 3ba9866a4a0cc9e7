//! The outbox: what waits for the client, in order, behind a short lock.
//!
//! Whoever has something to send writes into the socket itself, if the socket takes it: no task is woken for that. What
//! a socket does not take waits here, bounded, and the driver goes on when the socket is writable.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use bytestring::ByteString;
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::net::tcp::OwnedWriteHalf;

use crate::limits::Limits;
use crate::transport::framing;

/// How many bytes one write is given at the most.
const WRITE_BYTES: usize = 64 << 10;

/// When this much waits behind a cork, it is written without waiting for the poll's end.
const CORKED_BYTES: usize = 32 << 10;

/// Something that waits for the client.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A DDP message.
    Message(ByteString),
    /// A `ping` or `pong`, which resumption does not count.
    Heartbeat(ByteString),
    /// A message of which only the latest of its key waits.
    Volatile {
        /// What it is the latest of.
        key: VolatileKey,
        /// The DDP message.
        frame: ByteString,
    },
    /// Bytes of the transport's own: WebSocket control frames.
    Bytes(Bytes),
}

/// The collection and the event.
pub(crate) type VolatileKey = (Arc<str>, Box<str>);

/// Where the outbox leads.
pub(crate) enum Link {
    /// Into a socket that speaks WebSocket, by whoever sends.
    Direct(OwnedWriteHalf),
    /// To the driver, which hands everything to its transport.
    Driver,
    /// Nowhere for now: the session waits to be resumed.
    Detached,
}

pub(crate) struct Outbox {
    state: Mutex<State>,
    driver: AtomicWaker,
    max_messages: usize,
    max_bytes: usize,
    max_detached_messages: usize,
    high_water: usize,
}

struct State {
    link: Link,
    waiting: VecDeque<Item>,
    waiting_bytes: usize,
    /// What the socket did not take of the last write.
    unsent: Vec<u8>,
    /// Messages that have left, heartbeats apart.
    sent_count: u64,
    corked: bool,
    condition: Condition,
    /// Handlers that wait until less waits here.
    waiting_for_room: Vec<Waker>,
}

/// Whether more can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Good,
    /// The client reads too slowly, or a detached session had too much to send.
    Overflowed,
    /// The socket is gone.
    Broken,
    /// The session has ended; what is sent now is dropped.
    Ended,
}

impl Outbox {
    pub(crate) fn new(link: Link, limits: &Limits) -> Self {
        Self {
            state: Mutex::new(State {
                link,
                waiting: VecDeque::new(),
                waiting_bytes: 0,
                unsent: Vec::new(),
                sent_count: 0,
                corked: false,
                condition: Condition::Good,
                waiting_for_room: Vec::new(),
            }),
            driver: AtomicWaker::new(),
            max_messages: limits.outbox_messages,
            max_bytes: limits.outbox_bytes,
            max_detached_messages: limits.resume_messages,
            high_water: limits.outbox_high_water,
        }
    }

    /// Takes a message and writes it at once, if the socket takes it.
    pub(super) fn push(&self, item: Item) {
        let mut state = self.state.lock();
        if state.is_idle() {
            state.write_alone(&item);
        } else {
            state.put(item);
        }
        self.flush(&mut state);
    }

    /// Takes a message that is written when the cork comes off. Says whether this is the first one.
    pub(super) fn push_corked(&self, item: Item) -> bool {
        let mut state = self.state.lock();
        state.put(item);
        if state.waiting_bytes >= CORKED_BYTES {
            self.flush(&mut state);
        }
        let first = !state.corked;
        state.corked = true;
        first
    }

    /// Writes what a poll has sent.
    pub(super) fn uncork(&self) {
        let mut state = self.state.lock();
        state.corked = false;
        self.flush(&mut state);
    }

    /// Takes a frame of the transport's own.
    pub(crate) fn push_bytes(&self, bytes: Bytes) {
        self.push(Item::Bytes(bytes));
    }

    pub(crate) fn condition(&self) -> Condition {
        self.state.lock().condition
    }

    /// Whether so much waits that nothing more should be read from the client.
    pub(crate) fn is_congested(&self) -> bool {
        let state = self.state.lock();
        state.pending_bytes() > self.high_water
    }

    /// Ready when so little waits that a handler may send more. A session that has ended has room for everything.
    pub(crate) fn room(&self) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(|context| {
            let mut state = self.state.lock();
            if state.condition != Condition::Good || state.pending_bytes() <= self.high_water {
                return Poll::Ready(());
            }
            if !state.waiting_for_room.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting_for_room.push(context.waker().clone());
            }
            Poll::Pending
        })
    }

    /// The socket is gone and the session waits for another one. Gives what has not left.
    pub(crate) fn detach(&self) -> Vec<ByteString> {
        let mut state = self.state.lock();
        state.link = Link::Detached;
        state.unsent = Vec::new();
        state.condition = Condition::Good;
        state.waiting.retain(|item| matches!(item, Item::Message(_)));
        state.waiting_bytes = state.waiting.iter().map(Item::len).sum();
        self.flush(&mut state);
        let messages = state.waiting.iter().filter_map(|item| match item {
            Item::Message(frame) => Some(frame.clone()),
            _ => None,
        });
        messages.collect()
    }

    /// Takes the link away, for another session.
    pub(crate) fn take_link(&self) -> Link {
        let mut state = self.state.lock();
        self.flush(&mut state);
        std::mem::replace(&mut state.link, Link::Detached)
    }

    /// Gives the link back that [`take_link`](Self::take_link) took.
    pub(crate) fn relink(&self, link: Link) {
        self.state.lock().link = link;
    }

    /// The session has a socket again: `first` goes before all that waits.
    pub(crate) fn attach(&self, link: Link, first: ByteString) {
        let mut state = self.state.lock();
        state.link = link;
        state.waiting_bytes += first.len();
        state.waiting.push_front(Item::Message(first));
        self.flush(&mut state);
    }

    /// How many messages have left, heartbeats apart.
    pub(crate) fn sent_count(&self) -> u64 {
        self.state.lock().sent_count
    }

    /// Takes nothing more; what waits still leaves.
    pub(crate) fn seal(&self) {
        self.state.lock().condition = Condition::Ended;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().pending_bytes() == 0
    }

    /// Drops what waits, and what comes.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.condition = Condition::Ended;
        state.drop_waiting();
        state.unsent = Vec::new();
        state.link = Link::Detached;
        state.waiting_for_room.drain(..).for_each(Waker::wake);
    }

    /// After an overflow: drops what waits, and lets the closing frame through.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        state.drop_waiting();
        state.condition = Condition::Good;
    }

    pub(crate) fn wake_driver(&self) {
        self.driver.wake();
    }

    pub(crate) fn register_driver(&self, context: &Context<'_>) {
        self.driver.register(context.waker());
    }

    /// Goes on writing into a direct socket that did not take everything. Ready when nothing is left or it is broken.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        loop {
            self.hand_over(&mut state);
            if state.unsent.is_empty() && state.waiting.is_empty() {
                return Poll::Ready(());
            }
            let Link::Direct(socket) = &state.link else { return Poll::Ready(()) };
            match socket.as_ref().poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    state.condition = Condition::Broken;
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The next item, for a transport that the driver writes to.
    pub(crate) fn take(&self) -> Option<Item> {
        let mut state = self.state.lock();
        let item = state.waiting.pop_front()?;
        state.waiting_bytes = state.waiting_bytes.saturating_sub(item.len());
        state.sent_count += item.count();
        if state.pending_bytes() <= self.high_water / 2 {
            state.waiting_for_room.drain(..).for_each(Waker::wake);
        }
        Some(item)
    }

    /// Hands over what the link takes; the driver cares for the rest.
    fn flush(&self, state: &mut State) {
        self.hand_over(state);
        // The driver waits for the socket to be writable, or ends the session.
        if !state.unsent.is_empty() || state.condition != Condition::Good {
            self.driver.wake();
        }
    }

    /// Hands over what the link takes. It does not wake the driver for a full socket: the driver itself comes here.
    fn hand_over(&self, state: &mut State) {
        match state.link {
            Link::Direct(_) => state.write(),
            Link::Driver if !state.waiting.is_empty() => self.driver.wake(),
            Link::Driver | Link::Detached => {}
        }
        let max_messages = match state.link {
            Link::Detached => self.max_detached_messages,
            Link::Direct(_) | Link::Driver => self.max_messages,
        };
        let overflowed = state.waiting.len() > max_messages || state.pending_bytes() > self.max_bytes;
        if overflowed && state.condition == Condition::Good {
            state.condition = Condition::Overflowed;
        }
        if state.condition != Condition::Good || state.pending_bytes() <= self.high_water / 2 {
            state.waiting_for_room.drain(..).for_each(Waker::wake);
        }
    }
}

impl State {
    fn put(&mut self, item: Item) {
        if self.condition != Condition::Good {
            return;
        }
        if let Item::Volatile { key, frame } = &item
            && let Some(older) = self.waiting.iter_mut().find(|older| older.is_older(key))
        {
            let older = std::mem::replace(older, Item::Volatile { key: key.clone(), frame: frame.clone() });
            self.waiting_bytes = (self.waiting_bytes + item.len()).saturating_sub(older.len());
            return;
        }
        self.waiting_bytes += item.len();
        self.waiting.push_back(item);
    }

    fn pending_bytes(&self) -> usize {
        self.waiting_bytes + self.unsent.len()
    }

    fn drop_waiting(&mut self) {
        self.waiting = VecDeque::new();
        self.waiting_bytes = 0;
    }

    /// Writes into the socket until it takes no more or nothing is left.
    fn write(&mut self) {
        while self.condition != Condition::Broken && self.unsent.is_empty() && !self.waiting.is_empty() {
            self.write_waiting();
        }
        if !self.unsent.is_empty() {
            self.write_unsent();
        }
    }

    /// Whether a message could go straight into the socket.
    fn is_idle(&self) -> bool {
        self.condition == Condition::Good
            && self.waiting.is_empty()
            && self.unsent.is_empty()
            && matches!(self.link, Link::Direct(_))
    }

    /// Writes one message past the queue, which is empty.
    fn write_alone(&mut self, item: &Item) {
        self.write_batch(|state, batch| {
            state.sent_count += item.count();
            item.write_frame(batch);
        });
    }

    fn write_waiting(&mut self) {
        self.write_batch(|state, batch| {
            while batch.len() < WRITE_BYTES {
                let Some(item) = state.waiting.pop_front() else { break };
                state.waiting_bytes = state.waiting_bytes.saturating_sub(item.len());
                state.sent_count += item.count();
                item.write_frame(batch);
            }
        });
    }

    /// Writes what `fill` puts together, and keeps what the socket does not take.
    fn write_batch(&mut self, fill: impl FnOnce(&mut Self, &mut Vec<u8>)) {
        thread_local! {
            /// Where the frames of one write are put together; no connection keeps a write buffer of its own.
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

    /// How much the socket took; all of it when it is broken, since nobody will read it.
    fn try_write(&mut self, bytes: &[u8]) -> usize {
        let Link::Direct(socket) = &self.link else { return bytes.len() };
        let mut written = 0;
        while written < bytes.len() {
            match socket.try_write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.condition = Condition::Broken;
                    return bytes.len();
                }
            }
        }
        written
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    fn is_older(&self, newer: &VolatileKey) -> bool {
        matches!(self, Self::Volatile { key, .. } if key == newer)
    }

    /// The text, unless it is a frame of the transport's own.
    pub(crate) fn into_text(self) -> Option<ByteString> {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => Some(text),
            Self::Bytes(_) => None,
        }
    }

    const fn count(&self) -> u64 {
        match self {
            Self::Message(_) | Self::Volatile { .. } => 1,
            Self::Heartbeat(_) | Self::Bytes(_) => 0,
        }
    }

    fn write_frame(&self, batch: &mut Vec<u8>) {
        match self {
            Self::Message(text) | Self::Heartbeat(text) | Self::Volatile { frame: text, .. } => {
                framing::write_text_frame(batch, text);
            }
            Self::Bytes(bytes) => batch.extend_from_slice(bytes),
        }
    }
}
