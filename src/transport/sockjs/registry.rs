//! [`XhrSessions`]: the sessions over HTTP requests, by the id that the client chose.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::pace::Pace;
use super::poll_request::PollRequest;
use crate::session::Received;

/// The maximum number of messages between a request and its session. The request waits while the queue is full.
const MESSAGES_ON_THE_WAY: usize = 64;

/// The maximum number of polls that a session has not handled yet. It answers all but one immediately.
const POLLS_ON_THE_WAY: usize = 4;

/// All sessions of an app over HTTP requests.
#[derive(Clone)]
pub(crate) struct XhrSessions {
    by_id: Arc<Mutex<ById>>,
    pace: Pace,
}

type ById = HashMap<Box<str>, Arc<XhrSession>>;

/// The end of a session that requests use.
pub(super) struct XhrSession {
    pub(super) messages: mpsc::Sender<Received>,
    pub(super) polls: mpsc::Sender<PollRequest>,
    /// Locked by the request whose body is being read. This keeps the order of requests, and limits the bodies in
    /// memory.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// The transport's end of a new session.
pub(super) struct NewSession {
    pub(super) place: Place,
    pub(super) messages: mpsc::Receiver<Received>,
    pub(super) polls: mpsc::Receiver<PollRequest>,
    pub(super) pace: Pace,
}

/// The entry of a session in the registry. It is removed when this is dropped.
pub(super) struct Place {
    sessions: XhrSessions,
    id: Box<str>,
}

impl XhrSessions {
    pub(super) fn new(pace: Pace) -> Self {
        Self { by_id: Arc::default(), pace }
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<XhrSession>> {
        self.by_id.lock().get(id).cloned()
    }

    /// Finds or creates a session. Returns the transport's end of a new session.
    pub(super) fn find_or_add(&self, id: &str) -> (Arc<XhrSession>, Option<NewSession>) {
        let mut sessions = self.by_id.lock();
        if let Some(session) = sessions.get(id) {
            return (Arc::clone(session), None);
        }
        let (session, new) = self.pair(id);
        sessions.insert(id.into(), Arc::clone(&session));
        (session, Some(new))
    }

    fn pair(&self, id: &str) -> (Arc<XhrSession>, NewSession) {
        let (to_session, messages) = mpsc::channel(MESSAGES_ON_THE_WAY);
        let (poll_session, polls) = mpsc::channel(POLLS_ON_THE_WAY);
        let place = Place { sessions: self.clone(), id: id.into() };
        let session = XhrSession { messages: to_session, polls: poll_session, turn: tokio::sync::Mutex::new(()) };
        (Arc::new(session), NewSession { place, messages, polls, pace: self.pace })
    }
}

impl Default for XhrSessions {
    fn default() -> Self {
        Self::new(Pace::METEOR)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.by_id.lock().remove(&self.id);
    }
}
