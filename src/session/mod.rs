//! The session: the DDP rules of one connection.
//!
//! - [`Session`] is the part that everybody may hold: handlers, publications, the registry;
//! - the [`outbox`] is what waits for the client;
//! - the [`driver`] is the one task that reads the client's messages and runs its methods.

pub(crate) mod cork;
mod driver;
mod heartbeat;
mod inbox;
mod outbox;
mod queue;
mod registry;

use std::sync::Arc;

use bytestring::ByteString;
use futures::channel::oneshot;
use parking_lot::{Mutex, MutexGuard};

use crate::clock::Timestamp;
use crate::call::{Identity, Peer};
use crate::publication::Views;
use crate::transport::{Goodbye, Received, Transport};
use crate::user::UserId;

pub(crate) use driver::drive;
pub(crate) use outbox::{Link, Outbox};
pub(crate) use queue::Item;
pub(crate) use registry::Sessions;

/// What handlers and publications hold of a session.
pub(crate) struct Session {
    id: Box<str>,
    opened_at: Timestamp,
    peer: Mutex<Arc<Peer>>,
    identity: Mutex<Identity>,
    outbox: Outbox,
    views: Mutex<Views>,
    /// Nothing once the session has ended.
    requests: Mutex<Option<Vec<Request>>>,
    closing: Mutex<Closing>,
}

/// What others ask of the driver.
pub(crate) enum Request {
    /// Sign a user in or out, and say when it is done.
    ChangeUser(Identity, oneshot::Sender<()>),
    /// Close the connection for good.
    Close(Goodbye),
    /// Start nothing more, and close when what runs has ended.
    ShutDown,
    /// Go on with another connection, if the client is right about what it has received.
    Resume(Resumption),
}

/// A connection whose client wants to go on with an older session.
pub(crate) struct Resumption {
    /// How many messages the client has received.
    received_count: u64,
    /// Taken by the session that goes on; what is left here goes back to its own.
    connection: Arc<Mutex<Option<ResumingConnection>>>,
    /// Told, or dropped, when the older session has made up its mind.
    decided: oneshot::Sender<()>,
}

struct ResumingConnection {
    transport: Box<dyn Transport>,
    next: Option<Received>,
    link: Link,
    peer: Arc<Peer>,
}

/// What runs when the session has ended.
enum Closing {
    Open(Vec<CloseCallback>),
    Closed,
}

pub(crate) type CloseCallback = Box<dyn FnOnce() + Send>;

impl Session {
    pub(crate) fn new(id: String, opened_at: Timestamp, peer: Peer, outbox: Outbox) -> Arc<Self> {
        Arc::new(Self {
            id: id.into(),
            opened_at,
            peer: Mutex::new(Arc::new(peer)),
            identity: Mutex::default(),
            outbox,
            views: Mutex::default(),
            requests: Mutex::new(Some(Vec::new())),
            closing: Mutex::new(Closing::Open(Vec::new())),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    #[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "admins see it, and they come with accounts"))]
    pub(crate) const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    pub(crate) fn peer(&self) -> Arc<Peer> {
        Arc::clone(&self.peer.lock())
    }

    pub(crate) fn user(&self) -> Option<UserId> {
        self.identity.lock().user.clone()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity.lock().clone()
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Sends a message. It is on its way when the current poll of the calling task ends, or at once outside of one.
    pub(crate) fn send(self: &Arc<Self>, frame: ByteString) {
        cork::send(self, Item::Message(frame));
    }

    /// Sends a `ping` or `pong`, which does not count as a message.
    pub(crate) fn send_uncounted(self: &Arc<Self>, frame: ByteString) {
        cork::send(self, Item::Heartbeat(frame));
    }

    /// Sends a message of which a slow client needs only the latest.
    pub(crate) fn send_volatile(self: &Arc<Self>, collection: &Arc<str>, event: &str, frame: ByteString) {
        cork::send(self, Item::Volatile { key: (Arc::clone(collection), event.into()), frame });
    }

    /// The client's subscriptions and documents. Whoever holds this may send; nobody waits while holding it.
    pub(crate) fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock()
    }

    pub(crate) fn request_close(&self) {
        self.request(Request::Close(Goodbye::normal()));
    }

    /// Has the driver change the user, and waits until it has.
    pub(crate) async fn change_user(&self, identity: Identity) {
        let (done, changed) = oneshot::channel();
        self.request(Request::ChangeUser(identity, done));
        // A session that ends meanwhile has no user to change.
        let _ended = changed.await;
    }

    pub(crate) fn on_close(&self, callback: CloseCallback) {
        if let Closing::Open(callbacks) = &mut *self.closing.lock() {
            callbacks.push(callback);
            return;
        }
        callback();
    }

    pub(crate) fn request(&self, request: Request) {
        let mut requests = self.requests.lock();
        let Some(requests) = requests.as_mut() else { return };
        requests.push(request);
        self.outbox.wake_driver();
    }

    fn take_requests(&self) -> Vec<Request> {
        self.requests.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whoever asks for something from now on is told that the session has ended.
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
