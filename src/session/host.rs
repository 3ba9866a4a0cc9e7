//! [`Host`]: the state that all sessions of an app share. It is stored in a slot of the app.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::places::SessionShares;
use super::registry::Sessions;
use super::{Goodbye, NoShare, Places, Request, Session, Transport, drive};
use crate::call::{AppCore, Connection, Current};
use crate::limits::{Heartbeat, Limits};
use crate::outbox::{Link, Outbox};
use crate::peer::Peer;
use crate::publication::{PublicationRegistry, Recipient, Strategies};
use crate::shares::{Share, Shares, Source};

/// A callback for every session that opens.
pub(crate) type ConnectionHook = Box<dyn Fn(Connection) + Send + Sync>;

/// The state that all sessions of an app share.
pub(crate) struct Host {
    pub(crate) publications: Current<PublicationRegistry>,
    pub(super) strategies: Arc<Strategies>,
    pub(super) heartbeat: Heartbeat,
    pub(super) connection_hooks: Vec<ConnectionHook>,
    pub(crate) sessions: Sessions,
    shares: SessionShares,
    /// Cancelled when the app shuts down.
    pub(crate) stopping: CancellationToken,
    /// The tasks for which a shutdown waits.
    pub(crate) tasks: TaskTracker,
}

impl Host {
    pub(crate) fn new(
        publications: PublicationRegistry,
        strategies: Strategies,
        heartbeat: Heartbeat,
        connection_hooks: Vec<ConnectionHook>,
        limits: &Limits,
    ) -> Self {
        Self {
            publications: Current::new(publications),
            strategies: Arc::new(strategies),
            heartbeat,
            connection_hooks,
            sessions: Sessions::default(),
            shares: SessionShares::new(limits),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Takes the places of a client's session. Returns `None` if the server is full for this client or shuts down.
    pub(crate) fn admit(&self, core: &AppCore, peer: &Peer) -> Option<Places> {
        if self.is_shutting_down() {
            return None;
        }
        self.shares.take(Source::of(peer), core.clock.now())
    }

    /// Takes the bytes of a request's body for as long as the server keeps it.
    pub(crate) fn hold_body(&self, core: &AppCore, source: Source, bytes: usize) -> Result<Option<Share>, NoShare> {
        self.shares.take_body(source, bytes, core.clock.now())
    }

    /// Returns what sessions hold: their number, those that are not open, bytes, and documents.
    pub(crate) fn shares(&self) -> [&Arc<Shares>; 4] {
        self.shares.all()
    }

    /// Creates a session for a new connection. It opens with the client's `connect`.
    pub(crate) fn new_session(&self, core: &AppCore, peer: Peer, link: Link) -> Arc<Session> {
        let outbox = Arc::new(Outbox::new(link, &core.limits, &core.figures));
        let recipient = Recipient::new(outbox, Arc::clone(&self.strategies));
        Session::new(core.node.new_session_id(&*core.chance), core.clock.now(), peer, recipient)
    }

    /// Spawns the driver of a session.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        core: &Arc<AppCore>,
        session: Arc<Session>,
        places: Places,
        transport: Box<dyn Transport>,
    ) {
        self.tasks.spawn(drive(Arc::clone(core), Arc::clone(self), session, places, transport));
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits for running methods until [`Limits::shutdown_timeout`], and closes all sessions with 1001.
    pub(crate) async fn shut_down(&self, limits: &Limits) {
        self.stopping.cancel();
        self.tasks.close();
        self.sessions.request(|| Request::ShutDown);
        if timeout(limits.shutdown_timeout, self.tasks.wait()).await.is_ok() {
            return;
        }
        tracing::warn!("methods still run after the shutdown timeout; their connections are closed");
        self.sessions.request(|| Request::Close(Goodbye::new(1001, "The server is shutting down")));
        let _late = timeout(Duration::from_millis(500), self.tasks.wait()).await;
    }
}
