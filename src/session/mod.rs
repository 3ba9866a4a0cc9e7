//! The session: implements DDP for one connection.
//!
//! - [`Session`] is held by handlers, publications and the registry;
//! - [`port`] contains the trait that transports implement;
//! - the [`driver`] is the task that reads the client's messages and runs its methods;
//! - [`Places`] are what a session counts for;
//! - [`Host`] contains the state that all sessions of an app share.

mod drain;
mod driver;
mod host;
mod inbox;
mod places;
mod port;
mod rare_queue;
mod registry;
mod timer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::channel::oneshot;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::call::{Connection, ConnectionPort, EndCallback, Identity};
use crate::clock::Timestamp;
use crate::outbox::{Link, Outbox};
use crate::peer::Peer;
use crate::publication::Recipient;
use crate::user::UserId;

pub(crate) use driver::{Driving, drive};
pub(crate) use host::{ConnectionHook, Host};
pub(crate) use places::{NoShare, Places};
pub(crate) use port::{Gone, Goodbye, Received, Transport};

/// The part of a session that handlers and publications hold.
pub(crate) struct Session {
    id: Box<str>,
    opened_at: Timestamp,
    peer: Mutex<Arc<Peer>>,
    identity: Mutex<Identity>,
    recipient: Arc<Recipient>,
    /// `None` once the session has ended.
    requests: Mutex<Option<Vec<Request>>>,
    /// Whether there are requests. The driver looks here first, since there are few.
    has_requests: AtomicBool,
    closing: Mutex<Closing>,
}

/// A request to the driver.
pub(crate) enum Request {
    /// Signs a user in or out, and reports the end.
    ChangeUser(Identity, oneshot::Sender<()>),
    /// Starts the universal publications that were added since the session has started them.
    StartUniversal,
    /// Closes the connection. The session cannot be resumed.
    Close(Goodbye),
    /// Does what `ShutDown` does, unless the session is open and its client needs no further connection.
    RefuseConnections,
    /// Starts no further messages, and closes when the running methods have ended.
    ShutDown,
    /// Resumes the session on another connection, if the client's count of messages is correct.
    Resume(Resumption),
}

/// A connection whose client wants to resume an older session.
pub(crate) struct Resumption {
    /// The number of messages that the client has received.
    received_count: u64,
    /// Taken by the older session if it accepts. Otherwise the new session takes it back.
    connection: Arc<Mutex<Option<ResumingConnection>>>,
    /// Completed, or dropped, when the older session has decided.
    decided: oneshot::Sender<()>,
}

struct ResumingConnection {
    transport: Box<dyn Transport>,
    next: Option<Received>,
    link: Link,
    peer: Arc<Peer>,
}

/// The `on_close` callbacks.
enum Closing {
    Open(Vec<EndCallback>),
    Closed,
}

impl Session {
    fn new(id: Box<str>, opened_at: Timestamp, peer: Peer, recipient: Arc<Recipient>) -> Arc<Self> {
        Arc::new(Self {
            id,
            opened_at,
            peer: Mutex::new(Arc::new(peer)),
            identity: Mutex::default(),
            recipient,
            requests: Mutex::new(Some(Vec::new())),
            has_requests: AtomicBool::new(false),
            closing: Mutex::new(Closing::Open(Vec::new())),
        })
    }

    #[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "only the admin panel of accounts shows it"))]
    pub(crate) const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    pub(crate) fn user(&self) -> Option<UserId> {
        self.identity.lock().user.clone()
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        self.recipient.outbox()
    }

    /// Returns the client as publications send to it.
    pub(crate) const fn recipient(&self) -> &Arc<Recipient> {
        &self.recipient
    }

    /// Returns the session as handlers see it.
    pub(crate) fn connection(self: &Arc<Self>) -> Connection {
        Connection::new(Arc::clone(self) as Arc<dyn ConnectionPort>)
    }

    pub(crate) fn request(&self, request: Request) {
        let mut requests = self.requests.lock();
        let Some(requests) = requests.as_mut() else { return };
        requests.push(request);
        self.has_requests.store(true, Ordering::Release);
        self.outbox().wake_driver();
    }

    /// Requests a user change and waits for its end.
    async fn change_user(&self, identity: Identity) {
        let (done, changed) = oneshot::channel();
        self.request(Request::ChangeUser(identity, done));
        // The session may end before the change.
        let _ended = changed.await;
    }

    fn has_requests(&self) -> bool {
        self.has_requests.load(Ordering::Acquire)
    }

    fn take_requests(&self) -> Vec<Request> {
        if !self.has_requests() {
            return Vec::new();
        }
        let mut requests = self.requests.lock();
        self.has_requests.store(false, Ordering::Release);
        requests.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Drops further requests, because the session has ended.
    fn refuse_requests(&self) {
        *self.requests.lock() = None;
    }

    fn set_peer(&self, peer: Arc<Peer>) {
        *self.peer.lock() = peer;
    }

    fn set_identity(&self, identity: Identity) {
        *self.identity.lock() = identity;
    }

    fn run_close_callbacks(&self) {
        let ended = std::mem::replace(&mut *self.closing.lock(), Closing::Closed);
        let Closing::Open(callbacks) = ended else { return };
        for callback in callbacks {
            if let Err(panic) = crate::call::guarded(callback) {
                tracing::error!(%panic, "an on_close callback panicked");
            }
        }
    }
}

impl ConnectionPort for Session {
    fn id(&self) -> &str {
        &self.id
    }

    fn peer(&self) -> Arc<Peer> {
        Arc::clone(&self.peer.lock())
    }

    fn identity(&self) -> Identity {
        self.identity.lock().clone()
    }

    fn change_identity(&self, identity: Identity) -> Option<BoxFuture<'_, ()>> {
        Some(Box::pin(self.change_user(identity)))
    }

    fn is_session(&self) -> bool {
        true
    }

    fn close(&self) {
        self.request(Request::Close(Goodbye::normal()));
    }

    fn on_close(&self, callback: EndCallback) {
        if let Closing::Open(callbacks) = &mut *self.closing.lock() {
            callbacks.push(callback);
            return;
        }
        callback();
    }
}

/// The promise of little memory for an idle session: each of these is in memory once for a session.
#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// What an `Arc` keeps in addition.
    const COUNTS: usize = 16;

    #[test]
    fn the_parts_of_a_session_fit_the_sizes_that_allocators_have() {
        let parts = [
            ("driver", driver::SIZE, 384),
            ("task", size_of::<Driving>(), 64),
            ("outbox", COUNTS + size_of::<Outbox>(), 256),
            ("recipient", COUNTS + size_of::<Recipient>(), 224),
            ("session", COUNTS + size_of::<Session>(), 192),
            ("peer", COUNTS + size_of::<Peer>(), 80),
        ];
        for (part, bytes, most) in parts {
            assert!(bytes <= most, "{part}: {bytes}");
        }
    }
}
