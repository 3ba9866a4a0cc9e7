//! The driver: the one task of a session. It reads the client's messages from a transport, keeps their order, and runs
//! methods inside its own polls: a call costs no spawn.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bolide_protocol::error::DdpError;
use bolide_protocol::message::{ConnectRequest, MalformedMessage, MethodCall, offending_message};
use bolide_protocol::version::Negotiation;
use bolide_protocol::{ClientMessage, RawJson, ServerMessage, Version, random};
use bytestring::ByteString;
use futures::stream::{FuturesUnordered, Stream};
use parking_lot::Mutex;

use super::heartbeat::{Expired, Timer};
use super::inbox::{Full, Inbox, Queued};
use super::outbox::Condition;
use super::{Request, Session, cork};
use crate::app::AppState;
use crate::chance::Generator;
use crate::connection::Connection;
use crate::context::CallRandom;
use crate::method::{Invocation, MethodOutcome, Parameters, RunningMethod, sanitize};
use crate::transport::{Goodbye, Received, Transport};

/// How many messages of one client are handled before others get their turn.
const MESSAGES_A_POLL: usize = 128;

/// A frame longer than this is not quoted in an `error`: nobody should make the server say much by saying a lot.
const QUOTED_BYTES: usize = 16 << 10;

/// Runs a session until it has ended and its last method has returned.
pub(crate) async fn drive(app: Arc<AppState>, session: Arc<Session>, transport: Box<dyn Transport>) {
    let mut driver = Driver::new(app, session, transport);
    std::future::poll_fn(|context| cork::poll(|| driver.poll(context))).await;
}

struct Driver {
    app: Arc<AppState>,
    session: Arc<Session>,
    transport: Box<dyn Transport>,
    phase: Phase,
    timer: Timer,
    inbox: Inbox,
    /// The call that the next messages wait for.
    current: Option<RunningCall>,
    /// Calls that have unblocked.
    unblocked: Option<Box<FuturesUnordered<RunningCall>>>,
    shutting_down: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The socket is open, and no session yet.
    Connecting,
    /// The session is open.
    Open(Version),
    /// The closing frame is on its way; the client has not answered it.
    Closing,
    /// The socket is gone. What still runs may end.
    Ended,
}

/// A method that runs for the client.
struct RunningCall {
    id: String,
    invocation: Arc<Invocation>,
    method: RunningMethod,
}

impl Future for RunningCall {
    type Output = (String, Arc<Invocation>, MethodOutcome);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = std::task::ready!(Pin::new(&mut self.method).poll(context));
        Poll::Ready((std::mem::take(&mut self.id), Arc::clone(&self.invocation), outcome))
    }
}

impl Driver {
    fn new(app: Arc<AppState>, session: Arc<Session>, transport: Box<dyn Transport>) -> Self {
        let timer = Timer::connect(app.limits.connect_timeout);
        let inbox = Inbox::new(app.limits.queued_messages);
        app.sessions.add(&session);
        Self {
            app,
            session,
            transport,
            phase: Phase::Connecting,
            timer,
            inbox,
            current: None,
            unblocked: None,
            shutting_down: false,
        }
    }

    /// Does all that can be done now.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.session.outbox().register_driver(context);
        self.poll_timer(context);
        let mut messages = 0;
        loop {
            self.serve_requests();
            self.poll_calls(context);
            self.start_queued(context);
            self.finish_shutdown();
            if messages >= MESSAGES_A_POLL {
                context.waker().wake_by_ref();
                break;
            }
            if self.poll_receive(context).is_pending() {
                break;
            }
            messages += 1;
        }
        self.poll_send(context);
        if self.phase == Phase::Ended && !self.is_running() { Poll::Ready(()) } else { Poll::Pending }
    }

    // The client's messages.

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.phase == Phase::Ended || self.session.outbox().is_congested() {
            return Poll::Pending;
        }
        match std::task::ready!(self.transport.poll_receive(&self.session, context)) {
            Received::Frame(frame) => self.receive(&frame, context),
            Received::Garbage => self.receive_garbage(),
            Received::Refused(goodbye) => self.close(goodbye),
            Received::Closed => self.end(),
        }
        Poll::Ready(())
    }

    fn receive(&mut self, frame: &ByteString, context: &mut Context<'_>) {
        self.timer.hear();
        match self.phase {
            Phase::Connecting => self.receive_first(frame),
            Phase::Open(version) => self.receive_open(frame, version, context),
            Phase::Closing | Phase::Ended => {}
        }
    }

    fn receive_garbage(&mut self) {
        self.timer.hear();
        if matches!(self.phase, Phase::Connecting | Phase::Open(_)) {
            self.send_error(MalformedMessage::NoMessage.to_string(), None);
        }
    }

    /// Before the session is open, only `connect` is understood.
    fn receive_first(&mut self, frame: &ByteString) {
        match ClientMessage::parse(frame, &self.app.types) {
            Ok(ClientMessage::Connect(request)) => self.connect(&request),
            Ok(_) => self.send_error("Must connect first", self.quote(frame)),
            Err(malformed) if is_answered_at_once(malformed) => self.answer_malformed(malformed, frame),
            Err(_) => self.send_error("Must connect first", self.quote(frame)),
        }
    }

    fn receive_open(&mut self, frame: &ByteString, version: Version, context: &mut Context<'_>) {
        let message = match ClientMessage::parse(frame, &self.app.types) {
            Ok(ClientMessage::Connect(_)) => return self.send_error("Already connected", self.quote(frame)),
            Ok(ClientMessage::Ping { .. } | ClientMessage::Pong) if !version.has_heartbeats() => {
                Queued::Malformed(MalformedMessage::UnknownKind, self.quote(frame))
            }
            Ok(ClientMessage::Ping { id }) => {
                return self.session.send_uncounted(ServerMessage::Pong { id }.to_frame().into());
            }
            Ok(ClientMessage::Pong | ClientMessage::Disconnect) => return,
            Ok(ClientMessage::Method(call)) if self.is_free() => return self.start_method(call, context),
            Ok(ClientMessage::Method(call)) => Queued::Method(call),
            Ok(ClientMessage::Sub(subscribe)) => Queued::Sub(subscribe),
            Ok(ClientMessage::Unsub { id }) => Queued::Unsub(id),
            Err(malformed) if is_answered_at_once(malformed) => return self.answer_malformed(malformed, frame),
            Err(malformed) => Queued::Malformed(malformed, self.quote(frame)),
        };
        if let Err(Full) = self.inbox.push(message) {
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
            Negotiation::Agreed(version) => self.open(version),
            Negotiation::Propose(version) => {
                self.send(&ServerMessage::Failed { version: version.to_string() });
                self.close(Goodbye::normal());
            }
        }
    }

    fn open(&mut self, version: Version) {
        self.phase = Phase::Open(version);
        self.send(&ServerMessage::Connected { session: self.session.id().to_owned() });
        self.timer.start_heartbeat(version.has_heartbeats().then_some(self.app.heartbeat));
        for hook in &self.app.connection_hooks {
            let connection = Connection::new(Arc::clone(&self.session));
            if let Err(panic) = crate::method::guarded(|| hook(connection)) {
                tracing::error!(%panic, "an on_connection hook panicked");
            }
        }
    }

    // Calls.

    /// Whether a message that comes now may start now.
    fn is_free(&self) -> bool {
        self.inbox.is_empty() && self.current.is_none() && self.has_room()
    }

    fn has_room(&self) -> bool {
        let unblocked = self.unblocked.as_ref().map_or(0, |calls| calls.len());
        unblocked < self.app.limits.running_calls && !self.shutting_down
    }

    fn is_running(&self) -> bool {
        self.current.is_some() || self.unblocked.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    fn start_queued(&mut self, context: &mut Context<'_>) {
        while self.current.is_none() && self.has_room() && matches!(self.phase, Phase::Open(_)) {
            match self.inbox.pop() {
                Some(Queued::Method(call)) => self.start_method(call, context),
                Some(Queued::Sub(subscribe)) => {
                    let error = DdpError::subscription_not_found(&subscribe.name);
                    self.send(&ServerMessage::nosub(&subscribe.id, Some(error)));
                }
                Some(Queued::Unsub(id)) => self.send(&ServerMessage::Nosub { id, error: None }),
                Some(Queued::Malformed(malformed, quote)) => self.send_error(malformed.to_string(), quote),
                None => return,
            }
        }
    }

    fn start_method(&mut self, call: MethodCall, context: &mut Context<'_>) {
        let Some(method) = self.app.methods.find(&call.method) else {
            let error = DdpError::method_not_found(&call.method);
            self.send(&ServerMessage::Result { id: call.id.clone(), outcome: Err(error) });
            self.send(&ServerMessage::Updated { methods: vec![call.id] });
            return;
        };
        let invocation = Arc::new(Invocation {
            app: Arc::clone(&self.app),
            method: Arc::clone(method),
            connection: Some(Connection::new(Arc::clone(&self.session))),
            user: Mutex::new(self.session.user()),
            random: Mutex::new(CallRandom::new(call.random_seed)),
            unblocked: AtomicBool::new(false),
            parent: None,
            admitted: AtomicBool::new(false),
        });
        let parameters = Parameters::from_message(call.params.as_ref(), &self.app.types);
        let method = RunningMethod::new(Arc::clone(&invocation).run(parameters));
        self.current = Some(RunningCall { id: call.id, invocation, method });
        self.poll_current(context);
    }

    fn poll_calls(&mut self, context: &mut Context<'_>) {
        self.poll_current(context);
        while let Some(calls) = &mut self.unblocked {
            match Pin::new(&mut **calls).poll_next(context) {
                Poll::Ready(Some(ended)) => self.answer(ended),
                Poll::Ready(None) => self.unblocked = None,
                Poll::Pending => return,
            }
        }
    }

    fn poll_current(&mut self, context: &mut Context<'_>) {
        let Some(call) = &mut self.current else { return };
        if let Poll::Ready(ended) = Pin::new(&mut *call).poll(context) {
            self.current = None;
            self.answer(ended);
            return;
        }
        if call.invocation.unblocked.load(Ordering::Acquire)
            && let Some(call) = self.current.take()
        {
            self.unblocked.get_or_insert_default().push(call);
            // So that its waker becomes one of the set.
            context.waker().wake_by_ref();
        }
    }

    /// All data that the method has written is on its way: `updated`, then the `result`.
    fn answer(&self, (id, invocation, outcome): (String, Arc<Invocation>, MethodOutcome)) {
        let outcome = outcome.map_err(|error| {
            let log_id = random::id(&mut Generator(&*self.app.chance));
            sanitize(error, "method", &invocation.method.name, &log_id)
        });
        let updated = ServerMessage::Updated { methods: vec![id] };
        self.send(&updated);
        let ServerMessage::Updated { mut methods } = updated else { return };
        let id = methods.pop().unwrap_or_default();
        self.send(&ServerMessage::Result { id, outcome });
    }

    // What others ask for.

    fn serve_requests(&mut self) {
        for request in self.session.take_requests() {
            match request {
                Request::ChangeUser(user, done) => {
                    self.session.set_user(user);
                    // The method may have been dropped meanwhile.
                    let _dropped = done.send(());
                }
                Request::Close(goodbye) => self.close(goodbye),
                Request::ShutDown => self.shutting_down = true,
            }
        }
        match self.session.outbox().condition() {
            Condition::Good | Condition::Ended => {}
            Condition::Broken => self.end(),
            Condition::Overflowed => {
                tracing::debug!(session = self.session.id(), "closed: the client reads too slowly");
                self.session.outbox().clear();
                self.close(Goodbye::new(1013, "The client reads too slowly"));
            }
        }
    }

    /// When the server shuts down, running methods may end; then the client is told to go.
    fn finish_shutdown(&mut self) {
        if self.shutting_down && !self.is_running() {
            self.close(Goodbye::new(1001, "The server is shutting down"));
        }
    }

    // The end.

    fn poll_timer(&mut self, context: &mut Context<'_>) {
        if self.phase == Phase::Ended {
            return;
        }
        while let Poll::Ready(expired) = self.timer.poll(context, self.app.heartbeat) {
            match expired {
                Expired::Ping => self.session.send_uncounted(ServerMessage::Ping { id: None }.to_frame().into()),
                Expired::Gone if self.phase == Phase::Closing => self.end(),
                Expired::Gone => self.close(Goodbye::normal()),
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) {
        if self.phase == Phase::Ended {
            return;
        }
        self.transport.poll_send(&self.session, context);
        if self.session.outbox().condition() == Condition::Broken {
            self.end();
        }
    }

    /// Says goodbye and waits for the client to do so.
    fn close(&mut self, goodbye: Goodbye) {
        if matches!(self.phase, Phase::Closing | Phase::Ended) {
            return;
        }
        self.phase = Phase::Closing;
        self.inbox.clear();
        self.timer.start_close(self.app.limits.close_timeout);
        self.transport.close(&self.session, goodbye);
        self.session.outbox().seal();
        self.finish_session();
    }

    /// The socket is gone.
    fn end(&mut self) {
        if self.phase == Phase::Ended {
            return;
        }
        let was_closing = self.phase == Phase::Closing;
        self.phase = Phase::Ended;
        self.inbox.clear();
        self.session.outbox().end();
        self.transport = Box::new(crate::transport::Gone);
        self.app.sessions.remove(&self.session);
        if !was_closing {
            self.finish_session();
        }
    }

    fn finish_session(&self) {
        self.session.run_close_callbacks();
    }

    // Words.

    fn send(&self, message: &ServerMessage) {
        self.session.send(message.to_frame().into());
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
        offending_message(frame, &self.app.types)
    }
}

/// Other malformed messages are answered in their turn.
fn is_answered_at_once(malformed: MalformedMessage) -> bool {
    use MalformedMessage::{NestedTooDeeply, NoEjson, NoKind, NoMessage};
    matches!(malformed, NoMessage | NoEjson | NoKind | NestedTooDeeply)
}
