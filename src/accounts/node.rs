//! [`Node`]: the sessions of this node, and the other nodes. What happens to users, tokens and settings is told to both.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, Weak};

use tokio::runtime::Handle as Runtime;
use tokio::sync::Semaphore;

use crate::bus::{BusEvent, BusMember};
use crate::call::{AppCore, Connection, ConnectionPort as _};
use crate::session::{Goodbye, Host, Request, Session};
use crate::store::HashedToken;
use crate::user::UserId;

/// The maximum number of pieces of work that clients have requested and that run in the background.
const REQUESTED_AT_ONCE: usize = 32;

/// The maximum number of questions of other nodes that are answered at a time. A node that asks more gets no answer.
const ANSWERED_AT_ONCE: usize = 8;

/// What accounts reach of the running app. Empty until the app is built.
#[derive(Default)]
pub(crate) struct Node {
    app: OnceLock<Weak<AppCore>>,
    bus: OnceLock<BusMember>,
    runtime: OnceLock<Runtime>,
    /// Bounds what clients that are not signed in have running in the background.
    requested: Requested,
    /// Bounds the questions of other nodes that are being answered.
    answering: Answering,
}

/// A permit for each piece of background work that a client has requested.
struct Requested(Arc<Semaphore>);

/// A permit for each question of another node that is being answered.
struct Answering(Arc<Semaphore>);

impl Node {
    /// Connects the accounts with their app. Returns whether they had none.
    pub(super) fn attach(&self, app: &Arc<AppCore>) -> bool {
        self.app.set(Arc::downgrade(app)).is_ok()
    }

    pub(super) fn join_bus(&self, member: BusMember) {
        // The first app keeps it.
        let _other = self.bus.set(member);
    }

    pub(super) fn run_on(&self, runtime: Runtime) {
        let _other = self.runtime.set(runtime);
    }

    /// Returns the app. `None` before it is built and after it is dropped.
    pub(crate) fn app(&self) -> Option<Arc<AppCore>> {
        self.app.get()?.upgrade()
    }

    /// Returns the sessions of the app. `None` before it is built and after it is dropped.
    pub(crate) fn host(&self) -> Option<Arc<Host>> {
        self.app()?.slot().cloned()
    }

    /// Returns the connection with the other nodes. `None` if this node is alone.
    pub(crate) fn bus(&self) -> Option<&BusMember> {
        self.bus.get()
    }

    /// Tells the other nodes of an event.
    pub(super) fn tell_others(&self, event: &BusEvent) {
        if let Some(bus) = self.bus.get() {
            bus.publish(event);
        }
    }

    /// Ends the connections, on every node, that have logged in with these tokens, except for `spared`.
    pub(crate) fn end_connections(&self, tokens: &[HashedToken], spared: Option<&Connection>) {
        if tokens.is_empty() {
            return;
        }
        let hashed: Vec<String> = tokens.iter().map(|token| token.as_str().to_owned()).collect();
        self.end_sessions_with(&hashed, spared);
        self.tell_others(&BusEvent::TokensEnded { hashed });
    }

    /// Ends all connections of a user, on every node, including those without a token, except for `spared`.
    pub(crate) fn end_connections_of(&self, user: &UserId, spared: Option<&Connection>) {
        self.end_sessions_of(user, spared);
        self.tell_others(&BusEvent::UserSignedOut { user: user.clone() });
    }

    /// Ends the sessions of this node that have logged in with these tokens, except for `spared`.
    pub(super) fn end_sessions_with(&self, tokens: &[String], spared: Option<&Connection>) {
        let spared = spared.map(Connection::id);
        // A sweep ends many tokens, and there are many sessions.
        let ended: HashSet<&str> = tokens.iter().map(String::as_str).collect();
        self.end_sessions(|session| {
            let credential = session.identity().credential;
            credential.is_some_and(|shown| ended.contains(&*shown.hashed)) && Some(session.id()) != spared
        });
    }

    /// Ends the sessions of a user on this node, except for `spared`.
    pub(super) fn end_sessions_of(&self, user: &UserId, spared: Option<&Connection>) {
        let spared = spared.map(Connection::id);
        self.end_sessions(|session| session.user().as_ref() == Some(user) && Some(session.id()) != spared);
    }

    fn end_sessions(&self, is_meant: impl Fn(&Session) -> bool) {
        if let Some(host) = self.host() {
            host.sessions.request_where(is_meant, || Request::Close(Goodbye::normal()));
        }
    }

    /// Runs work that a client has requested without a login, and whose duration must not show in the answer. Waits first
    /// until few enough of them run: for all clients alike, whatever they have requested.
    pub(crate) async fn in_background_for_a_client(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(permit) = Arc::clone(&self.requested.0).acquire_owned().await else { return };
        self.in_background(async move {
            work.await;
            drop(permit);
        });
    }

    /// Runs work that another node waits for, unless too much of it runs.
    pub(crate) fn in_background_for_a_node(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(permit) = Arc::clone(&self.answering.0).try_acquire_owned() else { return };
        self.in_background(async move {
            work.await;
            drop(permit);
        });
    }

    /// Runs work that no call waits for. The shutdown of the app waits for it.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let (Some(host), Some(runtime)) = (self.host(), self.runtime.get()) {
            drop(host.tasks.spawn_on(work, runtime));
        } else {
            tracing::error!("an app that was built outside of a tokio runtime cannot run background work");
        }
    }
}

impl Default for Answering {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ANSWERED_AT_ONCE)))
    }
}

impl Default for Requested {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(REQUESTED_AT_ONCE)))
    }
}
