//! The connection of one HTTP request. It ends when its last handle is dropped.

use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::tokens::LoginSecret;
use crate::call::{Connection, ConnectionPort, EndCallback, Identity, guarded};
use crate::peer::Peer;

struct RequestConnection {
    /// Made when it is asked for.
    id: OnceLock<Box<str>>,
    peer: Arc<Peer>,
    identity: Identity,
    on_close: Mutex<Vec<EndCallback>>,
}

/// Makes the connection of a request.
pub(crate) fn request_connection(peer: Peer, identity: Identity) -> Connection {
    Connection::new(Arc::new(RequestConnection {
        id: OnceLock::new(),
        peer: Arc::new(peer),
        identity,
        on_close: Mutex::default(),
    }))
}

impl ConnectionPort for RequestConnection {
    fn id(&self) -> &str {
        self.id.get_or_init(|| self.make_id())
    }

    fn peer(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn change_identity(&self, _: Identity) -> Option<BoxFuture<'_, ()>> {
        None
    }

    fn is_session(&self) -> bool {
        false
    }

    fn close(&self) {}

    fn on_close(&self, callback: EndCallback) {
        self.on_close.lock().push(callback);
    }
}

impl RequestConnection {
    /// Returns the same id for all requests of one token, or else of one network: what is counted per connection is
    /// counted so. The id reveals neither the token nor its hash.
    fn make_id(&self) -> Box<str> {
        match (&self.identity.credential, self.peer.network()) {
            (Some(credential), _) => {
                format!("rest:{}", LoginSecret::from(credential.hashed.to_string()).hashed().as_str()).into()
            }
            (None, Some(network)) => format!("rest:{network}").into(),
            (None, None) => "rest".into(),
        }
    }
}

impl Drop for RequestConnection {
    fn drop(&mut self) {
        for callback in std::mem::take(self.on_close.get_mut()) {
            if let Err(panic) = guarded(callback) {
                tracing::error!(%panic, "an on_close callback panicked");
            }
        }
    }
}
