//! [`XhrSessions`]: the sessions over HTTP requests, by the id that the client chose.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

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
    /// The maximum number of bytes between the requests of a session and the session.
    posted_bytes: usize,
}

type ById = HashMap<Box<str>, Arc<XhrSession>>;

/// The end of a session that requests use.
pub(super) struct XhrSession {
    messages: mpsc::Sender<Posted>,
    /// The bytes that may still be put into `messages`. Closed when the session has ended.
    room: Arc<Semaphore>,
    posted_bytes: usize,
    pub(super) polls: mpsc::Sender<PollRequest>,
    /// Locked by the request whose body is being read. This keeps the order of requests, and limits the bodies in
    /// memory.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// A message on its way from a request to its session.
pub(super) struct Posted {
    received: Received,
    /// The bytes that it takes from the room for others.
    _room: OwnedSemaphorePermit,
}

/// The error for a session that has ended.
pub(super) struct Ended;

/// The transport's end of a new session.
pub(super) struct NewSession {
    pub(super) place: Place,
    pub(super) messages: mpsc::Receiver<Posted>,
    pub(super) polls: mpsc::Receiver<PollRequest>,
    pub(super) pace: Pace,
}

/// The entry of a session in the registry. It is removed when this is dropped.
pub(super) struct Place {
    sessions: XhrSessions,
    id: Box<str>,
    room: Arc<Semaphore>,
}

impl XhrSessions {
    /// Creates the registry, for messages of up to `message_bytes`.
    pub(crate) fn new(message_bytes: usize) -> Self {
        Self::with_pace(Pace::METEOR, message_bytes)
    }

    pub(super) fn with_pace(pace: Pace, message_bytes: usize) -> Self {
        let most = usize::try_from(u32::MAX).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { by_id: Arc::default(), pace, posted_bytes: message_bytes.clamp(1, most) }
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
        let room = Arc::new(Semaphore::new(self.posted_bytes));
        let place = Place { sessions: self.clone(), id: id.into(), room: Arc::clone(&room) };
        let session = XhrSession {
            messages: to_session,
            room,
            posted_bytes: self.posted_bytes,
            polls: poll_session,
            turn: tokio::sync::Mutex::new(()),
        };
        (Arc::new(session), NewSession { place, messages, polls, pace: self.pace })
    }
}

impl XhrSession {
    /// Passes a message to the session. Waits while too many messages or bytes are on the way.
    pub(super) async fn post(&self, received: Received) -> Result<(), Ended> {
        let bytes = match &received {
            Received::Frame(text) => text.len().clamp(1, self.posted_bytes),
            Received::Garbage | Received::Refused(_) | Received::Closed | Received::Left => 1,
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| Ended)?;
        self.messages.send(Posted { received, _room: room }).await.map_err(|_| Ended)
    }
}

impl Posted {
    pub(super) fn take(self) -> Received {
        self.received
    }
}

impl Place {
    /// Returns the number of bytes between the requests and the session.
    pub(super) fn posted_bytes(&self) -> usize {
        self.sessions.posted_bytes.saturating_sub(self.room.available_permits())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.close();
        self.sessions.by_id.lock().remove(&self.id);
    }
}
