//! The outbox: what waits for the client, in order, behind a short lock.
//!
//! Whoever has something to send writes into the socket itself, if the socket takes it: no task is woken for that. What
//! a socket does not take waits here, bounded, and the driver goes on when the socket is writable.

mod cork;
mod framing;
mod queue;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use bytestring::ByteString;
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::net::tcp::OwnedWriteHalf;

use crate::limits::Limits;
use queue::Queue;

pub(crate) use cork::{expect_more, poll};
pub(crate) use queue::Item;

/// How many bytes one write is given at the most.
const WRITE_BYTES: usize = 64 << 10;

/// When this much waits behind a cork, it is written without waiting for the poll's end.
const CORKED_BYTES: usize = 32 << 10;

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
    waiting: Queue,
    /// How many bursts are under way, on other tasks perhaps.
    bursts: usize,
    /// What the socket did not take of the last write.
    unsent: Vec<u8>,
    /// Messages that have left, heartbeats apart.
    sent_count: u64,
    /// Whether the client took anything since somebody asked.
    has_moved: bool,
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
                waiting: Queue::default(),
                bursts: 0,
                unsent: Vec::new(),
                sent_count: 0,
                has_moved: false,
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
    fn push(&self, item: Item) {
        let mut state = self.state.lock();
        if state.is_idle() {
            state.write_alone(&item);
        } else {
            state.put(item);
        }
        self.flush(&mut state);
    }

    /// Takes a message that is written when the cork comes off. Says whether this is the first one.
    fn push_corked(&self, item: Item) -> bool {
        let mut state = self.state.lock();
        state.put(item);
        if state.waiting.bytes() >= CORKED_BYTES {
            self.flush(&mut state);
        }
        let first = !state.corked;
        state.corked = true;
        first
    }

    /// Writes what a poll has sent.
    fn uncork(&self) {
        let mut state = self.state.lock();
        state.corked = false;
        self.flush(&mut state);
    }

    /// Sends a message. It is on its way when the current poll of the calling task ends, or at once outside of one.
    pub(crate) fn send(self: &Arc<Self>, frame: ByteString) {
        cork::send(self, Item::Message(frame));
    }

    /// Sends a `ping` or `pong`, which does not count as a message.
    pub(crate) fn send_uncounted(self: &Arc<Self>, frame: ByteString) {
        cork::send(self, Item::Heartbeat(frame));
    }

    /// Sends a message of which a slow client needs only the latest.
    pub(crate) fn send_volatile(self: &Arc<Self>, collection: &Arc<str>, event: &str, frame: ByteString) {
        cork::send(self, Item::Volatile { key: (Arc::clone(collection), event.into()), frame });
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
        self.is_high(&self.state.lock())
    }

    /// Ready when so little waits that a handler may send more. A session that has ended has room for everything.
    pub(crate) fn room(&self) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(|context| {
            let mut state = self.state.lock();
            if state.condition != Condition::Good || !self.is_high(&state) {
                return Poll::Ready(());
            }
            if !state.waiting_for_room.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting_for_room.push(context.waker().clone());
            }
            Poll::Pending
        })
    }

    /// The socket is gone and the session waits for another one. Gives what has not left; nothing if so much waited that
    /// messages are missing.
    pub(crate) fn detach(&self) -> Option<Vec<ByteString>> {
        let mut state = self.state.lock();
        state.link = Link::Detached;
        state.unsent = Vec::new();
        if state.condition == Condition::Broken {
            state.condition = Condition::Good;
        }
        let messages = state.waiting.keep_messages();
        self.flush(&mut state);
        (state.condition == Condition::Good).then_some(messages)
    }

    /// Takes the link away, for another session; nothing if something still waits for it, half a frame perhaps.
    pub(crate) fn take_link(&self) -> Option<Link> {
        let mut state = self.state.lock();
        self.hand_over(&mut state);
        (state.pending_bytes() == 0).then(|| std::mem::replace(&mut state.link, Link::Detached))
    }

    /// Gives the link back that [`take_link`](Self::take_link) took.
    pub(crate) fn relink(&self, link: Link) {
        self.state.lock().link = link;
    }

    /// The session has a socket again: `first` goes before all that waits.
    pub(crate) fn attach(&self, link: Link, first: ByteString) {
        let mut state = self.state.lock();
        state.link = link;
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

    /// Does something that has to be told in one step, however much that is. A client that reads is not given up for
    /// it; what comes after it counts as before. Nothing that a client sends is read until it has taken the most of it.
    pub(crate) fn burst<Output>(&self, act: impl FnOnce() -> Output) -> Output {
        self.state.lock().bursts += 1;
        let output = act();
        let mut state = self.state.lock();
        state.bursts -= 1;
        if !matches!(state.link, Link::Detached) {
            state.waiting.exempt_all();
        }
        output
    }

    /// The transport cannot send any more: the client is gone.
    pub(crate) fn break_off(&self) {
        let mut state = self.state.lock();
        if state.condition != Condition::Ended {
            state.lose_socket();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_broken_off(&self) -> bool {
        self.condition() == Condition::Broken
    }

    /// Drops what waits, and what comes.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.condition = Condition::Ended;
        state.waiting = Queue::default();
        state.unsent = Vec::new();
        state.link = Link::Detached;
        state.waiting_for_room.drain(..).for_each(Waker::wake);
    }

    /// After an overflow: drops what waits, and lets the closing frame through.
    pub(crate) fn drop_waiting(&self) {
        self.state.lock().waiting = Queue::default();
    }

    /// Counts messages from here on; what was said before the session was open does not count.
    pub(crate) fn begin_count(&self) {
        let mut state = self.state.lock();
        self.hand_over(&mut state);
        state.sent_count = 0;
    }

    /// Whether anything has left since this was asked last.
    pub(crate) fn has_moved(&self) -> bool {
        std::mem::take(&mut self.state.lock().has_moved)
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
            let is_done = state.unsent.is_empty() && state.waiting.is_empty();
            if is_done || state.condition == Condition::Broken {
                return Poll::Ready(());
            }
            let Link::Direct(socket) = &state.link else { return Poll::Ready(()) };
            match socket.as_ref().poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    state.lose_socket();
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The next item, for a transport that the driver writes to.
    pub(crate) fn take(&self) -> Option<Item> {
        let mut state = self.state.lock();
        let item = state.pop()?;
        state.has_moved = true;
        self.wake_if_there_is_room(&mut state);
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
        if state.condition == Condition::Good && state.is_over(max_messages, self.max_bytes) {
            state.condition = Condition::Overflowed;
        }
        self.wake_if_there_is_room(state);
    }

    /// Whether so much waits that whoever can wait should.
    fn is_high(&self, state: &State) -> bool {
        state.pending_bytes() > self.high_water || state.waiting.len() > self.max_messages / 2
    }

    fn wake_if_there_is_room(&self, state: &mut State) {
        let is_low = state.pending_bytes() <= self.high_water / 2 && state.waiting.len() <= self.max_messages / 4;
        if is_low || state.condition != Condition::Good {
            state.waiting_for_room.drain(..).for_each(Waker::wake);
        }
    }
}

impl State {
    fn put(&mut self, item: Item) {
        // The closing frame comes after a session has ended.
        let is_farewell =
            self.condition == Condition::Ended && matches!((&item, &self.link), (Item::Bytes(_), Link::Direct(_)));
        if self.condition == Condition::Good || is_farewell {
            self.waiting.push(item);
        }
    }

    /// Takes the next item, which leaves.
    fn pop(&mut self) -> Option<Item> {
        let item = self.waiting.pop()?;
        self.sent_count += item.count();
        Some(item)
    }

    /// An overflow stays one: messages are missing, and the session must not be resumed.
    fn lose_socket(&mut self) {
        if self.condition != Condition::Overflowed {
            self.condition = Condition::Broken;
        }
    }

    fn pending_bytes(&self) -> usize {
        self.waiting.bytes() + self.unsent.len()
    }

    fn is_over(&self, max_messages: usize, max_bytes: usize) -> bool {
        let (messages, bytes) = self.waiting.counted();
        self.bursts == 0 && (messages > max_messages || bytes + self.unsent.len() > max_bytes)
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
                let Some(item) = state.pop() else { break };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Link::Driver, &Limits { outbox_messages: 2, ..Limits::default() })
    }

    fn message() -> Item {
        Item::Message("{}".into())
    }

    #[test]
    fn what_has_not_left_is_kept_for_a_client_that_is_away() {
        let outbox = outbox();
        outbox.push(message());
        outbox.break_off();
        assert_eq!(outbox.detach(), Some(vec!["{}".into()]));
        assert_eq!(outbox.condition(), Condition::Good);
    }

    #[test]
    fn an_overflow_is_not_forgotten_when_the_socket_is_lost() {
        let outbox = outbox();
        for _ in 0..3 {
            outbox.push(message());
        }
        outbox.break_off();
        assert_eq!(outbox.condition(), Condition::Overflowed);
        assert_eq!(outbox.detach(), None);
    }

    #[test]
    fn a_link_for_which_something_waits_is_not_given_away() {
        let outbox = outbox();
        outbox.push(message());
        assert!(outbox.take_link().is_none());
        assert!(outbox.take().is_some());
        assert!(outbox.take_link().is_some());
    }

    #[test]
    fn only_what_leaves_is_progress() {
        let outbox = outbox();
        assert!(outbox.take().is_none());
        assert!(!outbox.has_moved());
        outbox.push(message());
        assert!(outbox.take().is_some());
        assert!(outbox.has_moved() && !outbox.has_moved());
    }

    #[test]
    fn a_burst_that_ends_leaves_another_one_alone() {
        let outbox = outbox();
        outbox.burst(|| {
            outbox.burst(|| ());
            (0..3).for_each(|_| outbox.push(message()));
        });
        assert_eq!(outbox.condition(), Condition::Good);
    }
}
