//! [`Sessions`]: all sessions of an app, including those whose socket is open but whose client has not connected yet.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::{Request, Session};
use crate::call::ConnectionPort as _;

#[derive(Default)]
pub(crate) struct Sessions {
    by_id: Mutex<HashSet<ById, RandomState>>,
}

/// A session, compared and hashed by its id.
struct ById(Arc<Session>);

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    /// Returns the number of sessions whose client is not away.
    pub(crate) fn connected_len(&self) -> usize {
        self.by_id.lock().iter().filter(|ById(session)| !session.outbox().is_detached()).count()
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.by_id.lock().iter().map(|ById(session)| session.recipient().views().subscription_count()).sum()
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.by_id.lock().get(id).map(|ById(session)| Arc::clone(session))
    }

    /// Returns all sessions.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.by_id.lock().iter().map(|ById(session)| Arc::clone(session)).collect()
    }

    /// Sends a request to every session.
    pub(crate) fn request(&self, request: impl Fn() -> Request) {
        for session in self.all() {
            session.request(request());
        }
    }

    /// Sends a request to every session for which `is_meant` returns true.
    #[cfg(feature = "accounts")]
    pub(crate) fn request_where(&self, is_meant: impl Fn(&Session) -> bool, request: impl Fn() -> Request) {
        let sessions: Vec<_> = self
            .by_id
            .lock()
            .iter()
            .filter(|ById(session)| is_meant(session))
            .map(|ById(session)| Arc::clone(session))
            .collect();
        for session in sessions {
            session.request(request());
        }
    }

    pub(super) fn add(&self, session: &Arc<Session>) {
        self.by_id.lock().replace(ById(Arc::clone(session)));
    }

    pub(super) fn remove(&self, session: &Arc<Session>) {
        self.by_id.lock().remove(session.id());
    }
}

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}
