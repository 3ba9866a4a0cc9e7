//! [`Server`]: an app as transports see it.

use std::sync::Arc;

use super::proxies::Proxies;
use super::sockjs::XhrSessions;
use crate::call::AppCore;
use crate::limits::Limits;
use crate::outbox::Link;
use crate::peer::Peer;
use crate::session::{Host, Session, Transport};

/// How an app is reached over HTTP, kept in a slot of the app.
pub(crate) struct Http {
    /// The path below which all routes are. Empty, or with a leading slash.
    pub(crate) path_prefix: String,
    /// `None` if SockJS is turned off.
    pub(crate) sockjs: Option<XhrSessions>,
    pub(crate) proxies: Proxies,
}

/// An app as transports see it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) core: Arc<AppCore>,
    pub(crate) host: Arc<Host>,
    pub(crate) http: Arc<Http>,
}

impl Server {
    /// Returns an app as transports see it. `None` if it was built without what they need.
    pub(crate) fn of(core: &Arc<AppCore>) -> Option<Self> {
        let (host, http) = (core.slot::<Host>()?, core.slot::<Http>()?);
        Some(Self { core: Arc::clone(core), host: Arc::clone(host), http: Arc::clone(http) })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.core.limits
    }

    pub(super) fn new_session(&self, peer: Peer, link: Link) -> Arc<Session> {
        self.host.new_session(&self.core, peer, link)
    }

    /// Runs a session in a task of its own.
    pub(super) fn spawn(&self, session: Arc<Session>, transport: Box<dyn Transport>) {
        self.host.spawn(&self.core, session, transport);
    }

    /// Returns whether a new client is turned away.
    pub(super) fn is_full(&self) -> bool {
        self.host.is_shutting_down() || self.host.sessions.len() >= self.core.limits.connections
    }
}
