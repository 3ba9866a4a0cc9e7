//! Resumption, as in Meteor 3.5: a client that lost its socket connects again with the id of its session and the number
//! of messages that it received, and continues the session.
//!
//! The driver of the new connection passes its transport to the driver of the old session, which accepts it if it waits
//! for its client and the counts agree. Otherwise the new connection opens a new session.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bolide_protocol::message::ConnectRequest;
use bolide_protocol::{ServerMessage, Version};
use futures::channel::oneshot;
use futures::future::FutureExt as _;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Driver, Phase};
use crate::call::ConnectionPort as _;
use crate::figures::{Absence, Limit};
use crate::outbox::{Condition, Waiting};
use crate::session::inbox::Queued;
use crate::session::{Gone, Goodbye, NoShare, Request, ResumingConnection, Resumption};

/// The time after a resumption in which a call with the id of an older call is treated as a repetition of it.
const RESEND_WINDOW: Duration = Duration::from_secs(30);

/// What a message that waits for a client counts, in addition to its bytes: its place in the outbox.
const MESSAGE_BYTES: usize = 128;

/// A connection that waits for the decision of an older session.
pub(super) struct Resuming {
    version: Version,
    connection: Arc<Mutex<Option<ResumingConnection>>>,
    decided: oneshot::Receiver<()>,
}

/// The calls without an answer when the socket was lost. The client sends them again, but they run only once and are
/// answered once.
pub(super) struct Resent {
    ids: HashSet<String>,
    bytes: usize,
    until: Option<Instant>,
}

impl Resent {
    fn new(ids: HashSet<String>) -> Self {
        Self { bytes: ids.iter().map(String::len).sum(), ids, until: None }
    }

    fn is_over(&self) -> bool {
        self.ids.is_empty() || self.until.is_none_or(|until| Instant::now() > until)
    }

    fn remove(&mut self, id: &str) -> bool {
        let is_answered = self.ids.remove(id);
        if is_answered {
            self.bytes -= id.len();
        }
        is_answered
    }
}

impl Driver {
    /// Returns whether a call is the repetition of one that was made before the socket was lost.
    pub(super) fn is_answered_already(&mut self, id: &str) -> bool {
        let Some(resent) = &mut self.resent else { return false };
        if resent.is_over() {
            self.resent = None;
            return false;
        }
        resent.remove(id)
    }

    // The new connection.

    pub(super) fn open_or_resume(&mut self, version: Version, request: &ConnectRequest) {
        let (Some(id), Some(received_count)) = (&request.session, request.received_count) else {
            return self.open(version);
        };
        let Some(older) = self.host.sessions.find(id).filter(|older| !Arc::ptr_eq(older, &self.session)) else {
            return self.open(version);
        };
        let Some(link) = self.session.outbox().take_link() else { return self.open(version) };
        let connection = ResumingConnection {
            transport: std::mem::replace(&mut self.transport, Box::new(Gone)),
            next: self.next.take(),
            link,
            peer: self.session.peer(),
        };
        let connection = Arc::new(Mutex::new(Some(connection)));
        let (decide, decided) = oneshot::channel();
        self.phase = Phase::Resuming(Box::new(Resuming { version, connection: Arc::clone(&connection), decided }));
        older.request(Request::Resume(Resumption { received_count, connection, decided: decide }));
    }

    pub(super) fn poll_resuming(&mut self, context: &mut Context<'_>) {
        let Phase::Resuming(resuming) = &mut self.phase else { return };
        if resuming.decided.poll_unpin(context).is_pending() {
            return;
        }
        let version = resuming.version;
        let given_back = resuming.connection.lock().take();
        let Some(connection) = given_back else { return self.end() };
        self.transport = connection.transport;
        self.next = connection.next;
        self.session.outbox().relink(connection.link);
        self.open(version);
    }

    // The older session.

    pub(super) fn resume(&mut self, resumption: Resumption, context: &Context<'_>) {
        let Resumption { received_count, connection, decided } = resumption;
        let Phase::Away(version) = self.phase else { return };
        // After an overflow, messages are missing.
        let is_complete = self.session.outbox().condition() == Condition::Good;
        // The login must not have expired.
        let is_signed_in_still = self.session.identity().is_current(self.core.clock.now());
        if !is_complete || !is_signed_in_still || self.session.outbox().sent_count() != received_count {
            return self.end_absence(Absence::Refused);
        }
        let Some(ResumingConnection { mut transport, next, link, peer }) = connection.lock().take() else { return };
        transport.adopt(self.session.outbox());
        self.transport = transport;
        self.next = next;
        self.session.set_peer(peer);
        self.phase = Phase::Open(version);
        self.core.figures.absences.count(Absence::Resumed);
        self.places.come_back();
        if let Some(resent) = &mut self.resent {
            resent.until = Some(Instant::now() + RESEND_WINDOW);
        }
        let connected = ServerMessage::Connected { session: self.session.id().to_owned() };
        self.session.outbox().attach(link, connected.to_frame().into());
        self.timer.start_heartbeat(version.has_heartbeats().then_some(self.host.heartbeat));
        // The driver of the other connection may have ended.
        let _gone = decided.send(());
        context.waker().wake_by_ref();
    }

    pub(super) fn may_wait_for_client(&self) -> bool {
        !self.is_leaving && !self.shutting_down && !self.core.limits.resume_grace.is_zero()
    }

    /// Waits for the client after the loss of its socket. Methods continue, and their messages wait.
    pub(super) fn wait_for_client(&mut self, version: Version) {
        self.phase = Phase::Away(version);
        self.transport = Box::new(Gone);
        self.next = None;
        self.timer.start_grace(self.core.limits.resume_grace);
        let Some(waiting) = self.session.outbox().detach() else {
            return self.end_absence(Absence::Overflowed);
        };
        let answered = waiting.iter().filter_map(|frame| match ServerMessage::parse(frame) {
            Ok(ServerMessage::Result { id, .. }) => Some(id),
            _ => None,
        });
        let queued = self.inbox.iter().filter_map(|message| match message {
            Queued::Method(call) => Some(call.id.clone()),
            _ => None,
        });
        let running = self.calls.method_ids().map(str::to_owned);
        self.resent = Some(Box::new(Resent::new(running.chain(queued).chain(answered).collect())));
    }

    /// Returns the total length of the ids of calls that the client may repeat.
    pub(super) fn resent_bytes(&self) -> usize {
        self.resent.as_ref().map_or(0, |resent| resent.bytes)
    }

    /// Counts what the session holds for a client that is away, and ends it if no share is left for that.
    pub(super) fn count_absence(&mut self) {
        if !matches!(self.phase, Phase::Away(_)) {
            return;
        }
        let Waiting { messages, bytes } = self.session.outbox().waiting();
        self.counted.note_waiting(messages);
        let subscriptions = self.session.recipient().views().subscription_bytes();
        let held = bytes + messages * MESSAGE_BYTES + subscriptions + self.resent_bytes();
        let Some(away) = self.places.away() else { return };
        if let Err(NoShare) = away.hold(held, &*self.core.clock) {
            tracing::debug!("a session ended: too much waits for the clients of its network that are away");
            self.end_absence(Absence::Overflowed);
        }
    }

    /// Ends the session of a client that is away.
    pub(super) fn end_absence(&mut self, end: Absence) {
        self.core.figures.absences.count(end);
        self.end();
    }

    /// Closes the socket of a client that does not answer heartbeats. The session waits for it.
    pub(super) fn lose_silent_client(&mut self) {
        let Phase::Open(version) = self.phase else { return };
        self.core.figures.refusals.count(Limit::Heartbeat);
        if !self.may_wait_for_client() {
            return self.close(Goodbye::normal());
        }
        // Waiting messages would be lost with the socket, and the session could not be resumed.
        if self.session.outbox().is_empty() {
            self.transport.close(self.session.outbox(), Goodbye::normal());
        }
        self.wait_for_client(version);
    }
}
