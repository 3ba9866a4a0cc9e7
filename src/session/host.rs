//! [`Host`]: the state that all sessions of an app share. It is stored in a slot of the app.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::drain::{self, Drain};
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
    shares: Arc<SessionShares>,
    drain: Drain,
    /// Cancelled when the app shuts down, and all sessions have been asked to end.
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
            drain: Drain::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Takes the places of a client's session. Returns `None` if the server is full for this client or shuts down.
    pub(crate) fn admit(&self, core: &AppCore, peer: &Peer) -> Option<Places> {
        if self.refuses_clients() {
            return None;
        }
        self.shares.take(Source::of(peer), core.clock.now())
    }

    /// Takes the bytes of a request's body for as long as the server keeps it.
    pub(crate) fn hold_body(&self, core: &AppCore, source: Source, bytes: usize) -> Result<Option<Share>, NoShare> {
        self.shares.take_body(source, bytes, core.clock.now())
    }

    /// Returns what sessions hold: their number, those that are not open, bytes, documents, and bytes for clients that are
    /// away.
    pub(crate) fn shares(&self) -> [&Arc<Shares>; 5] {
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

    /// Returns whether a shutdown has begun: load balancers should send clients elsewhere.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.has_begun()
    }

    /// Returns whether no further sessions are opened.
    pub(crate) fn refuses_clients(&self) -> bool {
        self.drain.refuses_clients()
    }

    /// Begins a shutdown: the node is not ready any more. Returns after [`Limits::drain_delay`], in which it still takes
    /// clients.
    pub(crate) async fn announce_shutdown(&self, limits: &Limits) {
        self.drain.begin();
        if !limits.drain_delay.is_zero() {
            tracing::info!("the server is not ready any more; it takes clients for another {:?}", limits.drain_delay);
            sleep(limits.drain_delay).await;
        }
    }

    /// Refuses further sessions, closes those that there are with 1001 in waves over [`Limits::drain_time`], and waits for
    /// running methods until [`Limits::shutdown_timeout`]. Each session ends when its running methods were answered.
    pub(crate) async fn shut_down(&self, limits: &Limits) {
        self.drain.refuse_clients();
        self.sessions.request(|| Request::RefuseConnections);
        drain::close_in_waves(&self.sessions, limits.drain_time).await;
        self.stopping.cancel();
        self.tasks.close();
        self.sessions.request(|| Request::ShutDown);
        if timeout(limits.shutdown_timeout, self.tasks.wait()).await.is_ok() {
            return;
        }
        tracing::warn!(
            "methods still run {:?} (--shutdown-timeout) after the last sessions were asked to end; their connections are \
             closed",
            limits.shutdown_timeout
        );
        self.sessions.request(|| Request::Close(Goodbye::new(1001, "The server is shutting down")));
        let _late = timeout(Duration::from_millis(500), self.tasks.wait()).await;
    }
}
