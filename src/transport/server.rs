//! [`Server`]: the parts of an app that transports use.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::{Body, HttpBody as _};

use super::origins::Origins;
use super::proxies::Proxies;
use super::sockjs::registry::XhrSessions;
use crate::call::AppCore;
use crate::limits::Limits;
use crate::outbox::Link;
use crate::peer::Peer;
use crate::session::{Host, NoShare, Places, Session, Transport};
use crate::shares::{Maximum, Share, Shares, Source};

/// The HTTP settings of an app, stored in one of its slots.
pub(crate) struct Http {
    /// The prefix of all routes: empty, or a path with a leading slash.
    pub(crate) path_prefix: String,
    /// The SockJS sessions over HTTP requests, or `None` if SockJS is disabled.
    pub(crate) sockjs: Option<XhrSessions>,
    /// Replaced while the app serves. So are the origins.
    pub(crate) proxies: ArcSwap<Proxies>,
    pub(crate) origins: ArcSwap<Origins>,
    /// The connections that the listener has accepted.
    pub(crate) sockets: Arc<Shares>,
    /// The requests of the clients of proxies that are being answered.
    pub(crate) requests: Arc<Shares>,
}

/// Returns the counts of accepted connections.
pub(crate) fn socket_shares(limits: &Limits) -> Arc<Shares> {
    Shares::new(
        Maximum { name: "connections", count: limits.connections },
        Maximum { name: "connections_per_network", count: limits.connections_per_network },
    )
}

/// The parts of an app that transports use. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) core: Arc<AppCore>,
    pub(crate) host: Arc<Host>,
    pub(crate) http: Arc<Http>,
}

impl Server {
    /// Returns the parts of an app that transports use, or `None` if it was built without them.
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

    /// Spawns the driver of a session.
    pub(super) fn spawn(&self, session: Arc<Session>, places: Places, transport: Box<dyn Transport>) {
        self.host.spawn(&self.core, session, places, transport);
    }

    /// Takes the bytes of a request's body for as long as the server keeps it. A body of unknown length counts as one of
    /// maximum length.
    pub(crate) fn hold_body(&self, source: Source, body: &Body, maximum: usize) -> Result<Option<Share>, NoShare> {
        let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        self.host.hold_body(&self.core, source, length.unwrap_or(maximum).min(maximum))
    }

    /// Takes the places of a client's session. Returns `None` if the server is full for this client.
    pub(super) fn admit(&self, peer: &Peer) -> Option<Places> {
        self.host.admit(&self.core, peer)
    }
}
