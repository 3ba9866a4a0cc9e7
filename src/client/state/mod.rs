//! [`State`]: the rules of DDP on the client's side, without IO. The connection's task passes it the server's frames
//! and takes the frames to send; users of the client add calls and subscriptions.

mod calls;
mod documents;
mod feed;
mod saved_login;
mod subscriptions;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use bolide_protocol::error::ErrorCode;
use bolide_protocol::message::{ConnectRequest, InvalidServerMessage};
use bolide_protocol::version::Version;
use bolide_protocol::{ClientMessage, DdpError, RawJson, ServerMessage};
use bytestring::ByteString;
use tokio::sync::{oneshot, watch};

use self::calls::{Calls, Pending};
use self::documents::Documents;
use self::subscriptions::Subscriptions;
use super::error::{CallError, ConnectError};
use super::options::ClientLimits;

pub(super) use self::calls::{Outcome, Purpose, Request};
pub(super) use self::feed::Feed;
pub use self::saved_login::Account;
use self::saved_login::SavedLogin;
pub use self::subscriptions::SubscriptionStatus;

/// The maximum number of answers to `ping` that wait to be sent. Further pings of a server that does not read are
/// ignored.
const PONGS_LIMIT: usize = 16;

#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    session: Option<Session>,
    next_id: u64,
    calls: Calls,
    subscriptions: Subscriptions,
    subscriptions_limit: usize,
    pub(super) documents: Documents,
    saved_login: Option<SavedLogin>,
    outgoing: VecDeque<Outgoing>,
    /// Answers to `ping`, which are sent first.
    pongs: VecDeque<ByteString>,
    /// The connection's task, while it waits.
    task: Option<Waker>,
}

#[derive(Debug)]
enum Phase {
    /// There is no connection. Calls and subscriptions wait.
    Disconnected,
    /// The client signs in to a new session before it sends anything else.
    SigningIn,
    Open,
    /// The user has closed the client.
    Closing,
    Closed(Option<Arc<ConnectError>>),
}

/// What the client needs to resume its session.
#[derive(Debug)]
struct Session {
    id: String,
    /// The number of messages that were received in it, without `ping` and `pong`.
    received: u64,
}

/// A message to send. Its call or subscription may be dropped before that.
#[derive(Clone, Copy, Debug)]
enum Outgoing {
    Call(u64),
    Sub(u64),
    Unsub(u64),
    Ping,
}

/// Why the connection's task must close the connection.
#[derive(Debug)]
pub(super) enum Disconnection {
    /// Another connection may work.
    Reconnect,
    /// Another connection would not work either.
    GiveUp(ConnectError),
}

impl State {
    pub(super) fn new(limits: &ClientLimits) -> Self {
        Self {
            phase: Phase::Disconnected,
            session: None,
            next_id: 1,
            calls: Calls::default(),
            subscriptions: Subscriptions::default(),
            subscriptions_limit: limits.subscriptions,
            documents: Documents::new(limits.changes, limits.documents),
            saved_login: None,
            outgoing: VecDeque::new(),
            pongs: VecDeque::new(),
            task: None,
        }
    }

    // Requests of users.

    /// Adds a call. Its result is sent to the receiver.
    pub(super) fn call(&mut self, request: &Request<'_>) -> Result<(u64, oneshot::Receiver<Outcome>), CallError> {
        self.check_open()?;
        let (reply, answer) = oneshot::channel();
        let id = self.take_id();
        self.calls.add(id, request, reply);
        if matches!(self.phase, Phase::Open) {
            self.send(Outgoing::Call(id));
        }
        Ok((id, answer))
    }

    /// Handles that the caller is gone. A call that was not sent yet is not sent.
    pub(super) fn forget_call(&mut self, id: u64) {
        self.calls.take(id);
    }

    pub(super) fn subscribe(
        &mut self,
        name: &str,
        params: RawJson,
    ) -> Result<(u64, watch::Receiver<SubscriptionStatus>), CallError> {
        self.check_open()?;
        if self.subscriptions.len() >= self.subscriptions_limit {
            return Err(CallError::TooManySubscriptions(self.subscriptions_limit));
        }
        let id = self.take_id();
        let status = self.subscriptions.add(id, name, params);
        if matches!(self.phase, Phase::Open) {
            self.send(Outgoing::Sub(id));
        }
        Ok((id, status))
    }

    pub(super) fn unsubscribe(&mut self, id: u64) {
        let is_known_to_server = self.subscriptions.leave(id);
        self.documents.stop_awaiting(id);
        if matches!(self.phase, Phase::Open) {
            self.documents.show_complete_copy();
            if is_known_to_server {
                self.send(Outgoing::Unsub(id));
            }
        }
    }

    /// Returns the id of the user who is signed in.
    pub(super) fn user_id(&self) -> Option<String> {
        self.saved_login.as_ref().map(|login| login.user_id().to_owned())
    }

    /// Closes the client when the waiting frames are sent.
    pub(super) fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed(_)) {
            self.phase = Phase::Closing;
            self.wake_task();
        }
    }

    fn check_open(&self) -> Result<(), CallError> {
        match &self.phase {
            Phase::Closing => Err(CallError::Closed(None)),
            Phase::Closed(reason) => Err(CallError::Closed(reason.clone())),
            Phase::Disconnected | Phase::SigningIn | Phase::Open => Ok(()),
        }
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    // The connection's task.

    pub(super) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Sets the waker of the task, which is woken when there is a frame to send.
    pub(super) fn set_task(&mut self, task: &Waker) {
        match &mut self.task {
            Some(known) => known.clone_from(task),
            None => self.task = Some(task.clone()),
        }
    }

    /// Returns the message that opens or resumes a session.
    pub(super) fn connect_request(&self, version: Version) -> ConnectRequest {
        ConnectRequest {
            version: Some(version.as_str().to_owned()),
            support: Version::SUPPORTED.iter().map(|version| version.as_str().to_owned()).collect(),
            session: self.session.as_ref().map(|session| session.id.clone()),
            received_count: self.session.as_ref().map(|session| session.received),
        }
    }

    /// Handles that the server has opened a session. Returns whether it is the previous one, resumed.
    pub(super) fn connected(&mut self, id: String) -> bool {
        match &mut self.session {
            Some(session) if session.id == id => {
                session.received += 1;
                self.resume_session();
                true
            }
            _ => {
                self.session = Some(Session { id, received: 1 });
                self.start_session();
                false
            }
        }
    }

    fn resume_session(&mut self) {
        if self.is_closing() {
            return;
        }
        let leaving = self.subscriptions.leaving();
        self.outgoing.extend(leaving.into_iter().map(Outgoing::Unsub));
        match self.calls.own_login() {
            Some(login) => {
                self.phase = Phase::SigningIn;
                self.send(Outgoing::Call(login));
            }
            None => self.open(),
        }
    }

    fn start_session(&mut self) {
        for lost in self.calls.lose_session() {
            lost.answer(Err(CallError::Interrupted));
        }
        let awaited = self.subscriptions.lose_session();
        self.documents.start_new_copy(awaited);
        if self.is_closing() {
            return;
        }
        let Some(params) = self.saved_login.as_ref().map(SavedLogin::to_params) else { return self.open() };
        let id = self.take_id();
        self.calls.add_login(id, &params);
        self.phase = Phase::SigningIn;
        self.send(Outgoing::Call(id));
    }

    /// Sends all waiting calls and subscriptions, in the order in which they were made.
    fn open(&mut self) {
        self.phase = Phase::Open;
        self.documents.show_complete_copy();
        let subscriptions = self.subscriptions.unconfirmed().into_iter().map(|id| (id, Outgoing::Sub(id)));
        let calls = self.calls.ids().map(|id| (id, Outgoing::Call(id)));
        let mut waiting: Vec<(u64, Outgoing)> = subscriptions.chain(calls).collect();
        waiting.sort_unstable_by_key(|(id, _)| *id);
        self.outgoing.extend(waiting.into_iter().map(|(_, outgoing)| outgoing));
        self.wake_task();
    }

    /// Handles the loss of the connection. The frames to send are collected again for the next one.
    pub(super) fn connection_lost(&mut self) {
        self.outgoing.clear();
        self.pongs.clear();
        if !self.is_closing() {
            self.phase = Phase::Disconnected;
        }
        for lost in self.calls.lose_connection() {
            lost.answer(Err(CallError::Interrupted));
        }
    }

    /// Ends the client, with the reason unless the user has closed it.
    pub(super) fn end(&mut self, reason: Option<&Arc<ConnectError>>) {
        self.phase = Phase::Closed(reason.cloned());
        self.outgoing.clear();
        for pending in self.calls.take_all() {
            pending.answer(Err(CallError::Closed(reason.cloned())));
        }
        self.subscriptions.take_all();
        self.documents.end();
    }

    /// Returns the next frame to send, which counts as sent.
    pub(super) fn next_frame(&mut self) -> Option<ByteString> {
        if let Some(pong) = self.pongs.pop_front() {
            return Some(pong);
        }
        while let Some(outgoing) = self.outgoing.pop_front() {
            let frame = match outgoing {
                Outgoing::Call(id) => self.calls.send(id),
                Outgoing::Sub(id) => self.subscriptions.sub(id).map(Into::into),
                Outgoing::Unsub(id) => Some(unsub(id)),
                Outgoing::Ping => Some(ByteString::from_static(r#"{"msg":"ping"}"#)),
            };
            if frame.is_some() {
                return frame;
            }
        }
        None
    }

    pub(super) fn ping(&mut self) {
        self.send(Outgoing::Ping);
    }

    fn send(&mut self, outgoing: Outgoing) {
        let task_knows = !self.outgoing.is_empty();
        self.outgoing.push_back(outgoing);
        if !task_knows {
            self.wake_task();
        }
    }

    fn wake_task(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    // Messages of the server.

    /// Handles a frame of the server.
    pub(super) fn receive(&mut self, frame: &str) -> Result<(), Disconnection> {
        if frame.starts_with(r#"{"msg":"updated","#) {
            // It contains no news, see `take`, and every second message is one: it is not parsed.
            self.count_message();
            return Ok(());
        }
        let message = ServerMessage::parse(frame);
        let is_heartbeat = matches!(message, Ok(ServerMessage::Ping { .. } | ServerMessage::Pong { .. }));
        if !is_heartbeat {
            self.count_message();
        }
        match message {
            Ok(message) => self.take(message),
            Err(reason) => self.take_invalid(frame, &reason),
        }
    }

    /// Handles a malformed message. If it is the answer to a call or subscription, that fails, since there is no other
    /// answer.
    fn take_invalid(&mut self, frame: &str, reason: &InvalidServerMessage) -> Result<(), Disconnection> {
        tracing::debug!(%reason, "a message of the server is malformed");
        let id = RawJson::parse(frame).ok().as_ref().and_then(id_of);
        match (reason, id) {
            (InvalidServerMessage::Member { kind: "nosub", .. }, Some(id)) => {
                self.subscription_ended(id, Some(DdpError::new(400, reason.to_string())));
            }
            (InvalidServerMessage::Member { kind: "result", .. }, Some(id)) => {
                let Some(pending) = self.calls.take(id) else { return Ok(()) };
                if pending.is_own() {
                    return self.own_login_answered(Some(DdpError::new(400, reason.to_string())));
                }
                pending.answer(Err(CallError::Answer(reason.to_string())));
            }
            _ => {}
        }
        Ok(())
    }

    fn count_message(&mut self) {
        if let Some(session) = &mut self.session {
            session.received += 1;
        }
    }

    fn take(&mut self, message: ServerMessage) -> Result<(), Disconnection> {
        match message {
            ServerMessage::Ping { id } if self.pongs.len() < PONGS_LIMIT => self.pongs.push_back(pong(id)),
            ServerMessage::Added { collection, id, fields } => self
                .documents
                .added(collection, id, fields.as_ref())
                .map_err(|limit| Disconnection::GiveUp(ConnectError::TooManyDocuments(limit.0)))?,
            ServerMessage::Changed { collection, id, fields, cleared } => {
                self.documents.changed(collection, &id, fields.as_ref(), cleared);
            }
            ServerMessage::Removed { collection, id } => self.documents.removed(collection, &id),
            ServerMessage::Ready { subs } => {
                for id in subs.iter().filter_map(|id| id.parse().ok()) {
                    self.subscription_ready(id);
                }
            }
            ServerMessage::Nosub { id: Some(id), error } => {
                if let Some(id) = read_id(&id) {
                    self.subscription_ended(id, error);
                }
            }
            ServerMessage::Result { id, outcome } => return self.take_result(&id, outcome),
            ServerMessage::Error { reason, offending_message } => self.take_error(&reason, offending_message.as_ref()),
            // A call is over when its result arrives. Bolide and Meteor send `updated`, and the documents that the call
            // has changed, before it. Rocket.Chat's streamer sends `updated` after it, and has no such documents.
            ServerMessage::Ping { .. }
            | ServerMessage::Updated { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::Nosub { id: None, .. }
            | ServerMessage::Connected { .. }
            | ServerMessage::Failed { .. } => {}
        }
        Ok(())
    }

    fn subscription_ready(&mut self, id: u64) {
        self.subscriptions.ready(id);
        self.documents.stop_awaiting(id);
        self.documents.show_complete_copy();
    }

    fn subscription_ended(&mut self, id: u64, error: Option<DdpError>) {
        self.documents.stop_awaiting(id);
        self.documents.show_complete_copy();
        self.subscriptions.ended(id, error);
    }

    fn take_result(&mut self, id: &str, outcome: Result<Option<RawJson>, DdpError>) -> Result<(), Disconnection> {
        let Some(pending) = id.parse().ok().and_then(|id| self.calls.take(id)) else { return Ok(()) };
        match (pending.purpose, &outcome) {
            (Purpose::LogIn, Ok(Some(result))) => self.signed_in(result),
            (Purpose::LogOut, Ok(_)) => self.saved_login = None,
            _ => {}
        }
        if pending.is_own() {
            return self.own_login_answered(outcome.err());
        }
        pending.answer(outcome.map_err(CallError::Server));
        Ok(())
    }

    fn signed_in(&mut self, result: &RawJson) {
        if let Some(login) = SavedLogin::read(result) {
            self.saved_login = Some(login);
        }
    }

    /// Handles the result of the client's own login after a reconnection.
    fn own_login_answered(&mut self, error: Option<DdpError>) -> Result<(), Disconnection> {
        match error {
            // The error is temporary.
            Some(error) if is_temporary(&error) => return Err(Disconnection::Reconnect),
            Some(error) => {
                tracing::info!(error = %error.error, "the server does not accept the login token any more");
                self.saved_login = None;
            }
            None => {}
        }
        if matches!(self.phase, Phase::SigningIn) {
            self.open();
        }
        Ok(())
    }

    /// Handles that the server has rejected a message. If it tells which one, its call or subscription fails.
    fn take_error(&mut self, reason: &str, offending_message: Option<&RawJson>) {
        tracing::warn!(reason, "the server rejected a message as malformed");
        let Some(id) = offending_message.and_then(id_of) else { return };
        if let Some(pending) = self.calls.take(id) {
            refuse(pending, reason);
        }
        self.subscription_ended(id, Some(DdpError::new(400, reason)));
    }
}

fn refuse(pending: Pending, reason: &str) {
    pending.answer(Err(CallError::Refused(reason.to_owned())));
}

fn is_temporary(error: &DdpError) -> bool {
    match &error.error {
        ErrorCode::Name(name) => name == "too-many-requests",
        ErrorCode::Number(number) => *number == 500,
    }
}

fn unsub(id: u64) -> ByteString {
    let id = RawJson::parse(&format!("\"{id}\"")).ok();
    ClientMessage::Unsub { id }.to_frame().into()
}

/// Returns the answer to a `ping`, with its id if it has one.
fn pong(id: Option<RawJson>) -> ByteString {
    match id {
        None => ClientMessage::Pong.to_frame().into(),
        Some(id) => ByteString::from(format!(r#"{{"msg":"pong","id":{}}}"#, id.get())),
    }
}

/// Reads an id of this client, which is a number in a string.
fn read_id(id: &RawJson) -> Option<u64> {
    serde_json::from_str::<String>(id.get()).ok()?.parse().ok()
}

fn id_of(message: &RawJson) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct WithId {
        id: String,
    }
    serde_json::from_str::<WithId>(message.get()).ok()?.id.parse().ok()
}
