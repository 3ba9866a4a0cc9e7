//! The sessions whose clients send HTTP requests, by the id that the client chose.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Pace;
use super::xhr::{PollRequest, XhrTransport};
use crate::session::Received;

/// How many messages may wait between a request and its session. While they do, no more of the request is handled.
const MESSAGES_ON_THE_WAY: usize = 64;

/// How many polls may wait until their session looks at them. It answers all but one at once.
const POLLS_ON_THE_WAY: usize = 4;

/// All sessions of an app that are reached by requests.
#[derive(Clone)]
pub(crate) struct XhrSessions {
    by_id: Arc<Mutex<ById>>,
    pace: Pace,
}

type ById = HashMap<Box<str>, Arc<XhrSession>>;

/// The requests' end of a session.
pub(super) struct XhrSession {
    pub(super) messages: mpsc::Sender<Received>,
    pub(super) polls: mpsc::Sender<PollRequest>,
    /// Held by the one request whose body is read: requests are handled in order, and their bodies are not kept waiting
    /// in memory.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// A session's place in the registry. It is free when this is dropped.
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

    /// Finds a session, or makes it; then there is a transport to be driven, too.
    pub(super) fn find_or_add(&self, id: &str) -> (Arc<XhrSession>, Option<XhrTransport>) {
        let mut sessions = self.by_id.lock();
        if let Some(session) = sessions.get(id) {
            return (Arc::clone(session), None);
        }
        let (session, transport) = self.pair(id);
        sessions.insert(id.into(), Arc::clone(&session));
        (session, Some(transport))
    }

    fn pair(&self, id: &str) -> (Arc<XhrSession>, XhrTransport) {
        let (to_session, messages) = mpsc::channel(MESSAGES_ON_THE_WAY);
        let (poll_session, polls) = mpsc::channel(POLLS_ON_THE_WAY);
        let place = Place { sessions: self.clone(), id: id.into() };
        let session = XhrSession { messages: to_session, polls: poll_session, turn: tokio::sync::Mutex::new(()) };
        (Arc::new(session), XhrTransport::new(place, messages, polls, self.pace))
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
