//! [`Connection`]: what a handler sees of the client's connection.

use std::fmt;
use std::sync::Arc;

use crate::session::Session;

/// The connection that a call came over.
#[derive(Clone)]
pub struct Connection(Arc<Session>);

/// Where a client is, as far as the server can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address; nothing where a proxy was announced and did not say it.
    pub(crate) address: Option<String>,
    /// Those of the request's headers that Meteor shows, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Connection {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self(session)
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0
    }

    /// The session's id, 17 characters. It stays the same when a session is resumed.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// The client's address. Behind proxies it is what `forwarded_count` of them say.
    #[must_use]
    pub fn client_address(&self) -> Option<String> {
        self.0.peer().address.clone()
    }

    /// Those of the request's headers that Meteor shows, names in lower case: no cookies, no authorization.
    #[must_use]
    pub fn http_headers(&self) -> Vec<(String, String)> {
        self.0.peer().headers.clone()
    }

    /// Closes the connection. The session cannot be resumed afterwards.
    pub fn close(&self) {
        self.0.request_close();
    }

    /// Runs `callback` when the session has ended; at once if it has.
    pub fn on_close(&self, callback: impl FnOnce() + Send + 'static) {
        self.0.on_close(Box::new(callback));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who knows the id could resume the session.
        formatter.debug_struct("Connection").field("address", &self.client_address()).finish_non_exhaustive()
    }
}
