//! The outbox: the messages that wait for the client, in order, behind a lock that is held briefly: while a message is
//! added, which for the answer to a call includes writing its text, and while messages are written to the socket.
//!
//! A sender writes directly to the socket if it accepts the bytes, so no task is woken. Bytes that the socket does not
//! accept wait here, up to a limit, and the driver continues when the socket is writable.

mod answers;
mod cork;
pub(crate) mod effort;
mod framing;
mod glance;
mod queue;
mod state;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bolide_protocol::{DdpError, RawJson};
use bytes::Bytes;
use bytestring::ByteString;
use futures::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::net::tcp::OwnedWriteHalf;

use crate::figures::{Figures, Limit};
use crate::limits::Limits;
use glance::Glance;
use queue::Queue;
use state::{Excess, State};

pub(crate) use cork::{Held, expect_more, hold, in_turn, poll};
pub(crate) use framing::{EIGHT_BYTES, TWO_BYTES};
pub(crate) use queue::Item;

/// The number of waiting bytes that are written before the end of the poll, even behind a cork.
const CORKED_BYTES: usize = 32 << 10;

/// The destination of an outbox.
pub(crate) enum Link {
    /// A WebSocket, to which the sender writes directly.
    Direct(OwnedWriteHalf),
    /// The driver, which passes everything to its transport.
    Driver,
    /// None: the session waits for its client to resume it.
    Detached,
}

pub(crate) struct Outbox {
    state: Mutex<State>,
    glance: Glance,
    driver: AtomicWaker,
    limits: Arc<Limits>,
    figures: Arc<Figures>,
}

/// The locked state. When it is released, [`Glance`] follows.
struct Locked<'outbox> {
    state: MutexGuard<'outbox, State>,
    outbox: &'outbox Outbox,
}

/// Whether the outbox can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Good,
    /// The client reads too slowly, or too many messages wait for a detached session.
    Overflowed,
    /// The socket is closed.
    Broken,
    /// The session has ended. Further messages are dropped.
    Ended,
}

/// The messages that wait for a client.
pub(crate) struct Waiting {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// How much waits for the client.
#[derive(Clone, Copy)]
pub(crate) struct Pressure {
    pub(crate) bytes: usize,
    /// Whether it is too much to read more messages from the client.
    pub(crate) is_high: bool,
}

impl Outbox {
    pub(crate) fn new(link: Link, limits: &Arc<Limits>, figures: &Arc<Figures>) -> Self {
        Self {
            state: Mutex::new(State::new(link)),
            glance: Glance::default(),
            driver: AtomicWaker::new(),
            limits: Arc::clone(limits),
            figures: Arc::clone(figures),
        }
    }

    /// Adds a message. It is written immediately if the socket accepts it.
    fn push(&self, item: Item) {
        let mut state = self.lock();
        if state.is_idle() {
            state.write_alone(&item);
        } else {
            state.put(item);
        }
        self.flush(&mut state);
    }

    /// Adds a message that the driver writes.
    fn push_for_driver(&self, item: Item) {
        let mut state = self.lock();
        state.put(item);
        self.check_limits(&mut state);
        drop(state);
        self.driver.wake();
    }

    /// Adds what `put` puts, which is written when the poll ends. Returns whether it is the first one of the poll.
    fn push_corked(&self, put: impl FnOnce(&mut State)) -> bool {
        let mut state = self.lock();
        put(&mut state);
        if state.waiting.bytes() >= CORKED_BYTES {
            self.flush(&mut state);
        }
        let first = !state.corked;
        state.corked = true;
        first
    }

    /// Adds a message that is written when a lock is released. Returns whether no others wait for that.
    fn push_held(&self, item: Item) -> bool {
        let mut state = self.lock();
        state.put(item);
        !std::mem::replace(&mut state.corked, true)
    }

    /// Writes the messages that a poll has sent, or that were held.
    fn uncork(&self) {
        let mut state = self.lock();
        state.corked = false;
        self.flush(&mut state);
    }

    /// Sends a message. It is written when the driver's current poll ends, or immediately outside a poll.
    pub(crate) fn send(self: &Arc<Self>, frame: ByteString) {
        cork::send(self, Item::Message(frame));
    }

    /// Sends the `updated` and the `result` of a method call.
    pub(crate) fn send_answer(self: &Arc<Self>, id: &str, outcome: Result<Option<&RawJson>, &DdpError>) {
        cork::send_answer(self, id, outcome);
    }

    /// Sends a `ping` or `pong`, which does not count as a message.
    pub(crate) fn send_uncounted(self: &Arc<Self>, frame: ByteString) {
        cork::send(self, Item::Heartbeat(frame));
    }

    /// Sends a message that replaces a waiting one of the same collection and event.
    pub(crate) fn send_volatile(self: &Arc<Self>, collection: &Arc<str>, event: &str, frame: ByteString) {
        cork::send(self, Item::Volatile { key: (Arc::clone(collection), event.into()), frame });
    }

    /// Adds a control frame of the transport.
    pub(crate) fn push_bytes(&self, bytes: Bytes) {
        self.push(Item::Bytes(bytes));
    }

    pub(crate) fn condition(&self) -> Condition {
        self.glance.condition()
    }

    /// Returns whether too much waits to read more messages from the client.
    pub(crate) fn is_congested(&self) -> bool {
        self.pressure().is_high
    }

    /// Returns how much waits for the client.
    pub(crate) fn pressure(&self) -> Pressure {
        self.glance.pressure()
    }

    /// Returns whether the client is away: the session waits for it, or has ended.
    pub(crate) fn is_detached(&self) -> bool {
        self.glance.is_detached()
    }

    /// Returns what waits for a client that is away.
    pub(crate) fn waiting(&self) -> Waiting {
        let state = self.lock();
        Waiting { messages: state.waiting.len(), bytes: state.waiting.bytes() }
    }

    /// Waits until a handler may send more: while the client is slow, and if the task has worked long. Does not wait for the
    /// client of a session that has ended.
    pub(crate) fn room(&self) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(|context| {
            if effort::is_spent() {
                effort::give_way(context);
                return Poll::Pending;
            }
            let mut state = self.lock();
            if state.condition != Condition::Good || !self.is_high(&state) {
                return Poll::Ready(());
            }
            if !state.waiting_for_room.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting_for_room.push(context.waker().clone());
            }
            Poll::Pending
        })
    }

    /// Detaches the outbox from its closed socket, until the session is resumed. Returns the messages that were not
    /// sent, or `None` if messages are missing because too many waited.
    pub(crate) fn detach(&self) -> Option<Vec<ByteString>> {
        let mut state = self.lock();
        state.link = Link::Detached;
        state.unsent = Vec::new();
        state.on_the_way = 0;
        if state.condition == Condition::Broken {
            state.condition = Condition::Good;
        }
        let messages = state.waiting.keep_messages();
        self.flush(&mut state);
        (state.condition == Condition::Good).then_some(messages)
    }

    /// Takes the link, for another session. Returns `None` if bytes still wait for it, possibly half a frame.
    pub(crate) fn take_link(&self) -> Option<Link> {
        let mut state = self.lock();
        self.hand_over(&mut state);
        (state.pending_bytes() == 0).then(|| std::mem::replace(&mut state.link, Link::Detached))
    }

    /// Returns the link that [`take_link`](Self::take_link) took.
    pub(crate) fn relink(&self, link: Link) {
        self.lock().link = link;
    }

    /// Attaches the outbox to a new socket. `first` is sent before the waiting messages.
    pub(crate) fn attach(&self, link: Link, first: ByteString) {
        let mut state = self.lock();
        state.link = link;
        state.waiting.push_front(Item::Message(first));
        self.flush(&mut state);
    }

    /// Returns the number of sent messages, without heartbeats.
    pub(crate) fn sent_count(&self) -> u64 {
        self.lock().sent_count
    }

    /// Rejects further messages. Waiting messages are still sent.
    pub(crate) fn seal(&self) {
        self.lock().condition = Condition::Ended;
    }

    /// Returns whether no bytes wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().pending_bytes() == 0
    }

    /// Runs `act`, which sends messages that belong together, however many. They do not count towards the limits, so a
    /// client that reads is not disconnected because of them; later messages count. The client's messages are not read
    /// until it has received most of them.
    pub(crate) fn burst<Output>(&self, act: impl FnOnce() -> Output) -> Output {
        self.lock().bursts += 1;
        let output = act();
        let mut state = self.lock();
        state.bursts -= 1;
        if !matches!(state.link, Link::Detached) {
            state.waiting.exempt_all();
        }
        output
    }

    /// Notes that the transport cannot send any more, because the client is gone.
    pub(crate) fn break_off(&self) {
        let mut state = self.lock();
        if state.condition != Condition::Ended {
            state.lose_socket();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_broken_off(&self) -> bool {
        self.condition() == Condition::Broken
    }

    /// Drops waiting and further messages.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.condition = Condition::Ended;
        state.waiting = Queue::default();
        state.unsent = Vec::new();
        state.on_the_way = 0;
        state.link = Link::Detached;
        state.waiting_for_room.drain(..).for_each(Waker::wake);
    }

    /// Drops the waiting messages after an overflow, so that the closing frame can be sent.
    pub(crate) fn drop_waiting(&self) {
        self.lock().waiting = Queue::default();
    }

    /// Starts to count messages. Messages before the session was open do not count.
    pub(crate) fn begin_count(&self) {
        let mut state = self.lock();
        self.hand_over(&mut state);
        state.sent_count = 0;
    }

    /// Returns whether bytes have been sent since the last call.
    pub(crate) fn has_moved(&self) -> bool {
        std::mem::take(&mut self.lock().has_moved)
    }

    pub(crate) fn wake_driver(&self) {
        self.driver.wake();
    }

    pub(crate) fn register_driver(&self, context: &Context<'_>) {
        self.driver.register(context.waker());
    }

    /// Continues to write to a direct socket. Ready when no bytes are left or the socket is broken.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
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

    /// Takes the next message, for a transport that the driver writes to.
    pub(crate) fn take(&self) -> Option<ByteString> {
        let mut state = self.lock();
        let message = state.pop_text()?;
        state.has_moved = true;
        if state.waiting.is_empty() {
            self.tell_sent(&mut state);
        }
        self.wake_if_there_is_room(&mut state);
        Some(message)
    }

    /// Notes how many bytes a transport has taken that its client has not received. They count like those that wait.
    pub(crate) fn note_on_the_way(&self, bytes: usize) {
        let mut state = self.lock();
        state.on_the_way = bytes;
        self.wake_if_there_is_room(&mut state);
    }

    /// Passes on what the link accepts, and wakes the driver for the rest.
    fn flush(&self, state: &mut State) {
        self.hand_over(state);
        // The driver waits until the socket is writable, counts what waits for a client that is away, or ends the session.
        let is_detached = matches!(state.link, Link::Detached);
        if !state.unsent.is_empty() || is_detached || state.condition != Condition::Good {
            self.wake(state);
        }
    }

    /// Passes on what the link accepts. Does not wake the driver if the socket is full, because the driver calls this
    /// itself.
    fn hand_over(&self, state: &mut State) {
        match state.link {
            Link::Direct(_) => state.write(),
            Link::Driver if !state.waiting.is_empty() => self.wake(state),
            Link::Driver | Link::Detached => {}
        }
        self.tell_sent(state);
        self.check_limits(state);
        self.wake_if_there_is_room(state);
    }

    fn tell_sent(&self, state: &mut State) {
        state.sent.tell(&self.figures.traffic.sent);
    }

    /// Wakes the driver, which looks at the glance before the state is released.
    fn wake(&self, state: &State) {
        self.note(state);
        self.driver.wake();
    }

    fn note(&self, state: &State) {
        let pressure = Pressure { bytes: state.held_bytes(), is_high: self.is_high(state) };
        self.glance.note(state.condition, pressure, matches!(state.link, Link::Detached));
    }

    fn check_limits(&self, state: &mut State) {
        let (max_messages, limit) = match state.link {
            Link::Detached => (self.limits.resume_messages, Limit::ResumeMessages),
            Link::Direct(_) | Link::Driver => (self.limits.outbox_messages, Limit::OutboxMessages),
        };
        if state.condition != Condition::Good {
            return;
        }
        let reached = match state.excess(max_messages, self.limits.outbox_bytes) {
            Excess::None => return,
            Excess::Messages => limit,
            Excess::Bytes => Limit::OutboxBytes,
        };
        self.figures.refusals.count(reached);
        state.condition = Condition::Overflowed;
    }

    fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock(), outbox: self }
    }

    /// Returns whether senders that can wait should wait.
    fn is_high(&self, state: &State) -> bool {
        state.held_bytes() > self.limits.outbox_high_water || state.waiting.len() > self.limits.outbox_messages / 2
    }

    fn wake_if_there_is_room(&self, state: &mut State) {
        let is_low = state.held_bytes() <= self.limits.outbox_high_water / 2
            && state.waiting.len() <= self.limits.outbox_messages / 4;
        if is_low || state.condition != Condition::Good {
            state.waiting_for_room.drain(..).for_each(Waker::wake);
        }
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// The state is still locked.
impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.outbox.note(&self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Link::Driver, &Arc::new(Limits { outbox_messages: 2, ..Limits::default() }), &Arc::default())
    }

    fn message() -> Item {
        Item::Message("{}".into())
    }

    #[test]
    fn unsent_messages_are_kept_for_a_client_that_is_away() {
        let outbox = outbox();
        outbox.push(message());
        outbox.break_off();
        assert_eq!(outbox.detach(), Some(vec!["{}".into()]));
        assert_eq!(outbox.condition(), Condition::Good);
    }

    #[test]
    fn answers_that_were_not_sent_are_kept_message_by_message() {
        let outbox = Arc::new(Outbox::new(Link::Driver, &Arc::default(), &Arc::default()));
        for id in ["1", "2"] {
            outbox.push_corked(|state| state.put_answer(id, Ok(None)));
        }
        assert_eq!((outbox.waiting().messages, outbox.sent_count()), (4, 0));
        let sent = outbox.take();
        assert_eq!(sent.as_deref(), Some(r#"{"msg":"updated","methods":["1"]}"#));
        assert_eq!((outbox.waiting().messages, outbox.sent_count()), (3, 1));
        let kept = outbox.detach().unwrap();
        assert_eq!(kept.iter().map(|message| message.len()).sum::<usize>(), outbox.waiting().bytes);
        let expected =
            [r#"{"msg":"result","id":"1"}"#, r#"{"msg":"updated","methods":["2"]}"#, r#"{"msg":"result","id":"2"}"#];
        assert_eq!(kept, expected.map(ByteString::from_static));
    }

    #[test]
    fn answers_that_wait_have_memory_of_their_own_size() {
        let outbox = Outbox::new(Link::Driver, &Arc::default(), &Arc::default());
        for _ in 0..10 {
            let mut sent = answers::Answers::EMPTY;
            sent.add("1", Ok(Some(&RawJson::parse(&format!("\"{}\"", "x".repeat(3_000))).unwrap())));
            sent.recycle();
            outbox.push_corked(|state| state.put_answer("2", Ok(None)));
            outbox.push_corked(|state| state.put(message()));
        }
        let state = outbox.lock();
        let memory: usize = state.waiting.answers().map(answers::Answers::capacity).sum();
        assert!(memory < 3 * state.waiting.bytes(), "{memory}");
    }

    #[test]
    fn answers_of_a_burst_stay_exempt_while_they_are_taken() {
        let outbox = outbox();
        outbox.burst(|| {
            outbox.push(Item::Bytes(Bytes::from_static(b"ping")));
            for _ in 0..20 {
                outbox.push_corked(|state| state.put_answer("1", Ok(None)));
            }
            outbox.push(message());
        });
        for left in (1..=40).rev() {
            assert!(outbox.take().is_some_and(|text| text.starts_with(r#"{"msg":""#)));
            outbox.uncork();
            assert_eq!((outbox.waiting().messages, outbox.condition()), (left, Condition::Good));
        }
        assert_eq!(outbox.take().as_deref(), Some("{}"));
        assert!(outbox.take().is_none() && outbox.is_empty());
    }

    #[test]
    fn many_answers_that_wait_reach_the_limit_of_messages() {
        let outbox = outbox();
        outbox.push_corked(|state| state.put_answer("1", Ok(None)));
        outbox.uncork();
        assert_eq!(outbox.condition(), Condition::Good);
        outbox.push_corked(|state| state.put_answer("2", Ok(None)));
        outbox.uncork();
        assert_eq!(outbox.condition(), Condition::Overflowed);
    }

    #[test]
    fn an_overflow_remains_when_the_socket_is_lost() {
        let outbox = outbox();
        for _ in 0..3 {
            outbox.push(message());
        }
        outbox.break_off();
        assert_eq!(outbox.condition(), Condition::Overflowed);
        assert_eq!(outbox.detach(), None);
    }

    #[test]
    fn a_link_with_waiting_messages_cannot_be_taken() {
        let outbox = outbox();
        outbox.push(message());
        assert!(outbox.take_link().is_none());
        assert!(outbox.take().is_some());
        assert!(outbox.take_link().is_some());
    }

    #[test]
    fn only_sent_items_are_progress() {
        let outbox = outbox();
        assert!(outbox.take().is_none());
        assert!(!outbox.has_moved());
        outbox.push(message());
        assert!(outbox.take().is_some());
        assert!(outbox.has_moved() && !outbox.has_moved());
    }

    #[test]
    fn the_end_of_a_burst_does_not_end_another() {
        let outbox = outbox();
        outbox.burst(|| {
            outbox.burst(|| ());
            (0..3).for_each(|_| outbox.push(message()));
        });
        assert_eq!(outbox.condition(), Condition::Good);
    }
}
