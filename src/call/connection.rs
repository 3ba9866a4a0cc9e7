//! [`Connection`]: what a handler sees of the client's connection, and the port that sessions and requests implement.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::Identity;
use crate::peer::Peer;

/// The connection that a call came over: a session's, or the one of a single HTTP request.
#[derive(Clone)]
pub struct Connection(Arc<dyn ConnectionPort>);

/// A function that runs once, when a connection or a subscription has ended.
pub(crate) type EndCallback = Box<dyn FnOnce() + Send>;

/// What stands behind a [`Connection`].
pub(crate) trait ConnectionPort: Send + Sync {
    fn id(&self) -> &str;

    fn peer(&self) -> Arc<Peer>;

    fn identity(&self) -> Identity;

    /// Has another user take the connection over. `None` if there is no session to sign in on.
    fn change_identity(&self, identity: Identity) -> Option<BoxFuture<'_, ()>>;

    fn is_session(&self) -> bool;

    fn close(&self);

    fn on_close(&self, callback: EndCallback);
}

impl Connection {
    pub(crate) fn new(port: Arc<dyn ConnectionPort>) -> Self {
        Self(port)
    }

    /// Returns the session's id, 17 characters, of which the first four are the [node's](crate::App::node_id). It stays the same when a session is resumed. For an HTTP request it is the
    /// same for all requests of one login token, or else of one address.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// Returns the client's address. Behind proxies, it is the address that the counted or trusted proxies name; `None` if
    /// they did not name one.
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.peer().address
    }

    /// Returns the request's headers that Meteor shows to methods, names in lower case. Cookies and authorization are not
    /// among them.
    #[must_use]
    pub fn http_headers(&self) -> Vec<(String, String)> {
        self.peer().headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Closes the connection. The session cannot be resumed afterwards. An HTTP request is still answered.
    pub fn close(&self) {
        self.0.close();
    }

    /// Runs `callback` when the session or the HTTP request has ended; immediately if it has already.
    pub fn on_close(&self, callback: impl FnOnce() + Send + 'static) {
        self.0.on_close(Box::new(callback));
    }

    pub(crate) fn peer(&self) -> Arc<Peer> {
        self.0.peer()
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn identity(&self) -> Identity {
        self.0.identity()
    }

    /// Returns whether it lasts: a session, and not a single request.
    pub(crate) fn is_session(&self) -> bool {
        self.0.is_session()
    }

    pub(super) fn change_identity(&self, identity: Identity) -> Option<BoxFuture<'_, ()>> {
        self.0.change_identity(identity)
    }
}

/// The id could resume the session: `Debug` leaves it out.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("address", &self.client_address()).finish_non_exhaustive()
    }
}
