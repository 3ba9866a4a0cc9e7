//! The driver: the only task of a session. It reads the client's messages from a transport, keeps their order, and
//! polls methods and publications itself, so a call does not spawn a task.
//!
//! - this file: receives frames, and opens and closes connections;
//! - [`calls`]: runs methods and publications, one at a time or unblocked;
//! - [`turn`]: what one poll keeps from message to message;
//! - [`user_change`]: runs subscriptions again for another user;
//! - [`stops`]: the callbacks of subscriptions that end together;
//! - [`held`]: counts what the session holds;
//! - [`resumption`]: resumes a session on another connection.

mod calls;
mod held;
mod resumption;
mod stops;
mod turn;
mod user_change;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bolide_protocol::message::{ConnectRequest, MalformedMessage, MethodInFrame, ReadMessage, offending_message};
use bolide_protocol::version::Negotiation;
use bolide_protocol::{ClientMessage, RawJson, ServerMessage, Version};
use bytestring::ByteString;
use tracing::Span;

use super::inbox::{Full, Inbox, Queued};
use super::timer::{Expired, Timer};
use super::{Gone, Goodbye, Host, Places, Received, Request, Session, Transport};
use crate::call::{AppCore, ConnectionPort as _, Parameters};
use crate::figures::{Absence, Counted, Limit, Standing};
use crate::outbox::{self, Condition, Outbox, Pressure, effort};
use crate::public_name::public_name;
use crate::publication::{Subscriber, UniversalId};
use crate::spans;

use calls::Calls;
use resumption::{Resent, Resuming};
use stops::Stops;
use turn::Turn;
use user_change::UserChanges;

/// The maximum number of messages that one poll handles.
const MESSAGES_A_POLL: usize = 128;

/// The maximum length of a frame that an `error` quotes, to keep answers to malformed messages short.
const QUOTED_BYTES: usize = 16 << 10;

/// Runs a session until it has ended and its last method has returned.
pub(crate) fn drive(
    core: Arc<AppCore>,
    host: Arc<Host>,
    session: Arc<Session>,
    places: Places,
    transport: Box<dyn Transport>,
) -> Driving {
    let outbox = Arc::clone(session.outbox());
    let span = spans::are_wanted()
        .then(|| spans::connection(&public_name(session.id()), session.peer().trace_parent.as_deref()));
    Driving { driver: Box::new(Driver::new(core, host, session, places, transport)), outbox, _span: span }
}

/// A session that runs. It is small, since a task is moved several times before it runs and when it ends.
#[must_use = "a session runs while this is polled"]
pub(crate) struct Driving {
    driver: Box<Driver>,
    outbox: Arc<Outbox>,
    /// It ends with the session.
    _span: Option<Span>,
}

impl Future for Driving {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { driver, outbox, .. } = self.get_mut();
        outbox::poll(outbox, || driver.poll(context))
    }
}

/// The memory of a driver, which each session has.
#[cfg(all(test, target_pointer_width = "64"))]
pub(super) const SIZE: usize = size_of::<Driver>();

struct Driver {
    core: Arc<AppCore>,
    host: Arc<Host>,
    session: Arc<Session>,
    places: Places,
    /// The client with its current user, which is that of the session: only a user change sets either, both in one step.
    subscriber: Arc<Subscriber>,
    transport: Box<dyn Transport>,
    /// The next message, if it has been received already.
    next: Option<Received>,
    phase: Phase,
    timer: Timer,
    inbox: Inbox,
    calls: Calls,
    user_changes: UserChanges,
    /// The last universal publication that has been started.
    last_universal: UniversalId,
    stops: Stops,
    /// `None` unless the socket was lost.
    resent: Option<Box<Resent>>,
    /// Whether messages wait until the client has received more.
    held_back: bool,
    /// The bytes that waited for the client when this was looked up last.
    waiting_bytes: usize,
    shutting_down: bool,
    /// Whether the client has announced that it will not resume the session.
    is_leaving: bool,
    counted: Counted,
}

enum Phase {
    /// The socket is open, but the session is not.
    Connecting,
    /// The client wants to resume an older session, whose driver has not answered yet.
    Resuming(Box<Resuming>),
    /// The session is open.
    Open(Version),
    /// The socket is closed. The client may resume the session.
    Away(Version),
    /// The closing frame has been sent. The client has not answered it.
    Closing,
    /// The session has ended. Running methods continue to their end.
    Ended,
}

/// Ends the session together with the task, even after a panic or when the runtime stops.
impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
        self.finish_stops();
    }
}

impl Driver {
    fn new(
        core: Arc<AppCore>,
        host: Arc<Host>,
        session: Arc<Session>,
        places: Places,
        transport: Box<dyn Transport>,
    ) -> Self {
        let timer = Timer::connect(core.limits.connect_timeout);
        let inbox = Inbox::default();
        host.sessions.add(&session);
        // Checked after the session was added, so that a shutdown does not miss it.
        let shutting_down = host.refuses_clients();
        let subscriber = subscriber(&core, &session);
        let counted = Counted::new(Arc::clone(&core.figures));
        Self {
            core,
            host,
            session,
            places,
            subscriber,
            transport,
            next: None,
            phase: Phase::Connecting,
            timer,
            inbox,
            calls: Calls::default(),
            user_changes: UserChanges::default(),
            last_universal: UniversalId::default(),
            stops: Stops::default(),
            resent: None,
            held_back: false,
            waiting_bytes: 0,
            shutting_down,
            is_leaving: false,
            counted,
        }
    }

    /// Makes all progress that is possible without waiting.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.session.outbox().register_driver(context);
        self.hear_slow_reader();
        self.poll_timer(context);
        let (mut messages, mut turn) = (0, Turn::default());
        loop {
            self.serve_requests(context);
            self.poll_resuming(context);
            self.poll_calls(&mut turn, context);
            self.poll_user_change(&mut turn, context);
            self.start_queued(&mut turn, context);
            self.finish_shutdown();
            if messages >= MESSAGES_A_POLL || effort::is_spent() {
                effort::give_way(context);
                break;
            }
            if self.poll_receive(&mut turn, context).is_pending() {
                break;
            }
            messages += 1;
        }
        // Before the answers are written: who has received one finds the call in the statistics.
        turn.tell(&self.core.figures);
        self.poll_send(context);
        if !self.timer.is_watched() {
            self.poll_timer(context);
        }
        self.go_on_if_there_is_room(context);
        self.count_held_bytes(context);
        self.count_held_documents(context);
        self.count_absence();
        self.poll_stops(context);
        self.counted.note(self.standing());
        let is_over = matches!(self.phase, Phase::Ended) && !self.calls.is_running() && self.stops.is_empty();
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }

    // The client's messages.

    fn poll_receive(&mut self, turn: &mut Turn, context: &mut Context<'_>) -> Poll<()> {
        if self.is_held_back() || !self.is_listening() {
            return Poll::Pending;
        }
        let received = match self.next.take() {
            Some(received) => received,
            None => std::task::ready!(self.transport.poll_receive(context)),
        };
        self.look_ahead(&received, context);
        match received {
            Received::Frame(frame) => {
                turn.received.add(frame.len());
                self.receive(frame, turn, context);
            }
            Received::Garbage => {
                turn.note_other_work();
                self.receive_garbage();
            }
            Received::Refused(goodbye) => {
                if goodbye == Goodbye::too_long() {
                    self.core.figures.refusals.count(Limit::MessageBytes);
                }
                self.close(goodbye);
            }
            Received::Closed => self.lose_socket(),
            Received::Left => {
                self.is_leaving = true;
                self.lose_socket();
            }
        }
        Poll::Ready(())
    }

    /// Receives the next message if it has arrived already. If so, both messages may share a write.
    fn look_ahead(&mut self, received: &Received, context: &mut Context<'_>) {
        if matches!(received, Received::Frame(_))
            && let Poll::Ready(next) = self.transport.poll_receive(context)
        {
            self.next = Some(next);
        }
        outbox::expect_more(self.next.is_some());
    }

    /// Returns whether too much waits for the client to read or start its messages.
    fn is_held_back(&mut self) -> bool {
        let Pressure { bytes, is_high } = self.session.outbox().pressure();
        self.waiting_bytes = bytes;
        self.held_back = is_high;
        is_high
    }

    /// Keeps a client alive that receives waiting messages, although its own messages are not read meanwhile.
    fn hear_slow_reader(&mut self) {
        if self.held_back && self.session.outbox().has_moved() {
            self.timer.hear();
        }
    }

    /// Wakes the driver if it was held back and the client has received the waiting messages. No other waker does so.
    fn go_on_if_there_is_room(&mut self, context: &Context<'_>) {
        if self.held_back && !self.is_held_back() {
            context.waker().wake_by_ref();
        }
    }

    /// Returns whether the driver reads from the socket in this phase.
    fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Open(_) | Phase::Closing)
    }

    fn receive(&mut self, frame: ByteString, turn: &mut Turn, context: &mut Context<'_>) {
        self.timer.hear();
        match self.phase {
            Phase::Connecting => self.receive_first(&frame),
            Phase::Open(version) => self.receive_open(frame, version, turn, context),
            Phase::Resuming(_) | Phase::Away(_) | Phase::Closing | Phase::Ended => {}
        }
    }

    fn receive_garbage(&mut self) {
        self.timer.hear();
        if matches!(self.phase, Phase::Connecting | Phase::Open(_)) {
            self.send_error(MalformedMessage::NoMessage.to_string(), None);
        }
    }

    /// Handles a frame before the session is open. Only `connect` is accepted.
    fn receive_first(&mut self, frame: &ByteString) {
        match ClientMessage::parse(frame, &self.core.types) {
            Ok(ClientMessage::Connect(request)) => self.connect(&request),
            Err(malformed) if is_answered_at_once(malformed) => self.answer_malformed(malformed, frame),
            Ok(_) | Err(_) => self.send_error("Must connect first", self.quote(frame)),
        }
    }

    fn receive_open(&mut self, frame: ByteString, version: Version, turn: &mut Turn, context: &mut Context<'_>) {
        let last_end = turn.last_end.take();
        match ClientMessage::read(&frame, &self.core.types) {
            Ok(ReadMessage::Method(call)) if self.is_answered_already(&call.id) => {}
            Ok(ReadMessage::Method(MethodInFrame { id, method, params, random_seed, .. })) if self.is_free() => {
                turn.last_end = last_end;
                let seed = random_seed.map(Cow::into_owned);
                let Some(call) = self.prepare_call(&id, &method, seed, turn) else { return };
                // The frame itself becomes the text of the parameters.
                let parameters = params.map(|params| Parameters::in_frame(frame, params)).unwrap_or_default();
                self.start_method(call, parameters, turn, context);
            }
            // The places of the parameters may be longer than the frame: those of a call that waits are found again.
            Ok(ReadMessage::Method(call)) => self.queue(Queued::Method(call.into_call()), frame.len()),
            Ok(ReadMessage::Other(message)) => self.receive_other(message, &frame, version),
            Err(malformed) => self.receive_malformed(malformed, &frame),
        }
    }

    fn receive_malformed(&mut self, malformed: MalformedMessage, frame: &ByteString) {
        if is_answered_at_once(malformed) {
            return self.answer_malformed(malformed, frame);
        }
        self.queue(Queued::Malformed(malformed, self.quote(frame)), frame.len());
    }

    fn receive_other(&mut self, message: ClientMessage, frame: &ByteString, version: Version) {
        let queued = match message {
            ClientMessage::Connect(_) => return self.send_error("Already connected", self.quote(frame)),
            ClientMessage::Ping { .. } | ClientMessage::Pong if !version.has_heartbeats() => {
                Queued::Malformed(MalformedMessage::UnknownKind, self.quote(frame))
            }
            ClientMessage::Ping { id } => {
                return self.session.outbox().send_uncounted(ServerMessage::Pong { id }.to_frame().into());
            }
            // `read` returns calls as such, never among the other messages.
            ClientMessage::Pong | ClientMessage::Method(_) => return,
            ClientMessage::Disconnect => {
                self.is_leaving = true;
                return;
            }
            ClientMessage::Sub(subscribe) => Queued::Sub(subscribe),
            ClientMessage::Unsub { id } => Queued::Unsub(id),
        };
        self.queue(queued, frame.len());
    }

    fn queue(&mut self, message: Queued, bytes: usize) {
        if let Err(Full(limit)) = self.inbox.push(message, bytes, &self.core.limits) {
            self.core.figures.refusals.count(limit);
            self.send_error("Too many messages are waiting", None);
            self.close(Goodbye::new(1008, "Too many messages are waiting"));
        }
    }

    fn connect(&mut self, request: &ConnectRequest) {
        let version = match &request.version {
            Some(version) => Version::negotiate(version, &request.support),
            None => Negotiation::Propose(Version::One),
        };
        match version {
            Negotiation::Agreed(version) => self.open_or_resume(version, request),
            Negotiation::Propose(version) => {
                self.send(&ServerMessage::Failed { version: version.to_string() });
                self.close(Goodbye::normal());
            }
        }
    }

    fn open(&mut self, version: Version) {
        self.phase = Phase::Open(version);
        self.places.open();
        self.session.outbox().begin_count();
        self.send(&ServerMessage::Connected { session: self.session.id().to_owned() });
        self.timer.start_heartbeat(version.has_heartbeats().then_some(self.host.heartbeat));
        self.start_universal();
        for hook in &self.host.connection_hooks {
            let connection = self.session.connection();
            if let Err(panic) = crate::call::guarded(|| hook(connection)) {
                tracing::error!(%panic, "an on_connection hook panicked");
            }
        }
    }

    // Requests of handlers and other sessions.

    fn serve_requests(&mut self, context: &Context<'_>) {
        for request in self.session.take_requests() {
            match request {
                Request::ChangeUser(identity, done) => self.user_changes.push(identity, done),
                // A session that opens later starts them all.
                Request::StartUniversal if matches!(self.phase, Phase::Open(_) | Phase::Away(_)) => {
                    self.start_universal();
                }
                Request::StartUniversal => {}
                Request::Close(goodbye) => self.close(goodbye),
                Request::RefuseConnections => self.shutting_down |= self.needs_listener(),
                Request::ShutDown => self.shutting_down = true,
                Request::Resume(resumption) => self.resume(resumption, context),
            }
        }
        match self.session.outbox().condition() {
            Condition::Good | Condition::Ended => {}
            Condition::Broken => self.lose_socket(),
            Condition::Overflowed => self.give_up_on_slow_client(),
        }
    }

    fn give_up_on_slow_client(&mut self) {
        tracing::debug!("a session ended: too many messages wait for its client");
        if matches!(self.phase, Phase::Away(_)) {
            return self.end_absence(Absence::Overflowed);
        }
        self.session.outbox().drop_waiting();
        self.close(Goodbye::new(1013, "The client reads too slowly"));
    }

    /// Returns whether the session cannot go on without further connections.
    fn needs_listener(&self) -> bool {
        !matches!(self.phase, Phase::Open(_)) || self.transport.needs_listener()
    }

    /// Closes the connection during a shutdown, when the running methods have ended.
    fn finish_shutdown(&mut self) {
        if self.shutting_down && self.calls.method_ids().next().is_none() {
            self.close(Goodbye::new(1001, "The server is shutting down"));
        }
    }

    // The end.

    fn poll_timer(&mut self, context: &mut Context<'_>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        while let Poll::Ready(expired) = self.timer.poll(context, self.host.heartbeat) {
            match expired {
                Expired::Ping => {
                    self.session.outbox().send_uncounted(ServerMessage::Ping { id: None }.to_frame().into());
                }
                Expired::Gone if matches!(self.phase, Phase::Away(_)) => self.end_absence(Absence::Expired),
                Expired::Gone if matches!(self.phase, Phase::Closing) => self.end(),
                Expired::Gone if matches!(self.phase, Phase::Open(_)) => self.lose_silent_client(),
                Expired::Gone => {
                    self.core.figures.refusals.count(Limit::ConnectTimeout);
                    self.close(Goodbye::normal());
                }
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) {
        if !self.is_listening() {
            return;
        }
        self.transport.poll_send(self.session.outbox(), context);
        if self.session.outbox().condition() == Condition::Broken {
            self.lose_socket();
            // Methods continue without their client.
            context.waker().wake_by_ref();
        }
    }

    /// Handles the loss of the socket: the session waits for its client, or ends.
    fn lose_socket(&mut self) {
        match self.phase {
            Phase::Open(version) if self.may_wait_for_client() => self.wait_for_client(version),
            _ => self.end(),
        }
    }

    /// Sends the closing frame and waits for the client's.
    fn close(&mut self, goodbye: Goodbye) {
        match self.phase {
            Phase::Closing | Phase::Ended => return,
            Phase::Away(_) => return self.end_absence(Absence::Closed),
            Phase::Connecting | Phase::Resuming(_) | Phase::Open(_) => {}
        }
        self.phase = Phase::Closing;
        self.inbox.clear();
        self.timer.start_close(self.core.limits.close_timeout);
        // No further message may follow the closing frame.
        self.session.outbox().seal();
        self.transport.close(self.session.outbox(), goodbye);
        self.finish_session();
    }

    /// Ends the session.
    fn end(&mut self) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.phase = Phase::Ended;
        self.inbox.clear();
        self.session.outbox().end();
        self.transport = Box::new(Gone);
        self.next = None;
        self.host.sessions.remove(&self.session);
        self.places.leave();
        self.session.refuse_requests();
        self.finish_session();
    }

    /// Ends the subscriptions. Their callbacks and the `on_close` callbacks run afterwards. Calling it twice is harmless.
    fn finish_session(&mut self) {
        self.user_changes.clear();
        self.end_subscriptions();
        self.calls.drop_publications();
        self.session.recipient().views().clear();
    }

    /// Returns how the session is counted.
    fn standing(&self) -> Standing {
        let with = |standing: fn(_) -> Standing| self.transport.carrier().map_or(Standing::Ended, standing);
        match self.phase {
            Phase::Connecting | Phase::Resuming(_) => with(Standing::Connecting),
            Phase::Open(_) => with(Standing::Open),
            Phase::Closing => with(Standing::Closing),
            Phase::Away(_) => Standing::Away,
            Phase::Ended => Standing::Ended,
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Ended)
    }

    // Answers.

    fn send(&self, message: &ServerMessage) {
        self.session.outbox().send(message.to_frame().into());
    }

    fn send_error(&self, reason: impl Into<String>, offending_message: Option<RawJson>) {
        self.send(&ServerMessage::Error { reason: reason.into(), offending_message });
    }

    fn answer_malformed(&self, malformed: MalformedMessage, frame: &ByteString) {
        let quote = if malformed.quotes_the_frame() { self.quote(frame) } else { None };
        self.send_error(malformed.to_string(), quote);
    }

    fn quote(&self, frame: &ByteString) -> Option<RawJson> {
        if frame.len() > QUOTED_BYTES {
            return None;
        }
        offending_message(frame, &self.core.types)
    }
}

/// Describes the client to publications.
fn subscriber(core: &Arc<AppCore>, session: &Arc<Session>) -> Arc<Subscriber> {
    Arc::new(Subscriber {
        core: Arc::clone(core),
        recipient: Arc::clone(session.recipient()),
        connection: session.connection(),
        user: session.user(),
    })
}

/// Returns whether a malformed message is answered at once. Others are answered in the order of the queue.
fn is_answered_at_once(malformed: MalformedMessage) -> bool {
    use MalformedMessage::{NestedTooDeeply, NoEjson, NoKind, NoMessage};
    matches!(malformed, NoMessage | NoEjson | NoKind | NestedTooDeeply)
}
