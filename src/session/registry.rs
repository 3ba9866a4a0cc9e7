//! [`Sessions`]: all sessions of an app, including those whose socket is open but whose client has not connected yet.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::{Request, Session};
use crate::call::ConnectionPort as _;

#[derive(Default)]
pub(crate) struct Sessions {
    by_id: Mutex<HashMap<Box<str>, Arc<Session>, RandomState>>,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    /// Returns the number of sessions whose client is not away.
    pub(crate) fn connected_len(&self) -> usize {
        self.by_id.lock().values().filter(|session| !session.outbox().is_detached()).count()
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.by_id.lock().values().map(|session| session.recipient().views().subscription_count()).sum()
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.by_id.lock().get(id).cloned()
    }

    /// Returns all sessions.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.by_id.lock().values().cloned().collect()
    }

    /// Sends a request to every session.
    pub(crate) fn request(&self, request: impl Fn() -> Request) {
        let sessions: Vec<_> = self.by_id.lock().values().cloned().collect();
        for session in sessions {
            session.request(request());
        }
    }

    /// Sends a request to every session for which `is_meant` returns true.
    #[cfg(feature = "accounts")]
    pub(crate) fn request_where(&self, is_meant: impl Fn(&Session) -> bool, request: impl Fn() -> Request) {
        let sessions: Vec<_> = self.by_id.lock().values().filter(|session| is_meant(session)).cloned().collect();
        for session in sessions {
            session.request(request());
        }
    }

    pub(super) fn add(&self, session: &Arc<Session>) {
        self.by_id.lock().insert(session.id().into(), Arc::clone(session));
    }

    pub(super) fn remove(&self, session: &Arc<Session>) {
        self.by_id.lock().remove(session.id());
    }
}
