//! [`Connection`]: what a handler sees of the client's connection.

use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::Identity;
use crate::session::Session;

/// The connection that a call came over: a session's, or the one of a single HTTP request.
#[derive(Clone)]
pub struct Connection(Kind);

#[derive(Clone)]
enum Kind {
    Session(Arc<Session>),
    #[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "requests come with accounts"))]
    Request(Arc<RequestConnection>),
}

/// The connection of an HTTP request. It ends with the last handle.
pub(crate) struct RequestConnection {
    /// Made when somebody asks.
    id: OnceLock<Box<str>>,
    peer: Arc<Peer>,
    identity: Identity,
    on_close: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

/// Where a client is, as far as the server can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address; nothing where a proxy was announced and did not say it.
    pub(crate) address: Option<String>,
    /// Those of the request's headers that Meteor shows, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The code in the request's headers.
    pub(crate) shown: Option<HeaderCode>,
}

/// What the headers `x-2fa-code` and `x-2fa-method` say; one of them at least is there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeaderCode {
    pub(crate) code: Option<String>,
    pub(crate) method: Option<String>,
}

impl Connection {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self(Kind::Session(session))
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn request(peer: Peer, identity: Identity) -> Self {
        let connection =
            RequestConnection { id: OnceLock::new(), peer: Arc::new(peer), identity, on_close: Mutex::default() };
        Self(Kind::Request(Arc::new(connection)))
    }

    /// The session; nothing for an HTTP request.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.0 {
            Kind::Session(session) => Some(session),
            Kind::Request(_) => None,
        }
    }

    pub(crate) fn peer(&self) -> Arc<Peer> {
        match &self.0 {
            Kind::Session(session) => session.peer(),
            Kind::Request(request) => Arc::clone(&request.peer),
        }
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn identity(&self) -> Identity {
        match &self.0 {
            Kind::Session(session) => session.identity(),
            Kind::Request(request) => request.identity.clone(),
        }
    }

    /// The session's id, 17 characters. It stays the same when a session is resumed. For an HTTP request it is the same
    /// for all requests of one login token, or of one address.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.0 {
            Kind::Session(session) => session.id(),
            Kind::Request(request) => request.id.get_or_init(|| request.make_id()),
        }
    }

    /// The client's address. Behind proxies it is what those say that are counted or trusted.
    #[must_use]
    pub fn client_address(&self) -> Option<String> {
        self.peer().address.clone()
    }

    /// Those of the request's headers that Meteor shows, names in lower case: no cookies, no authorization.
    #[must_use]
    pub fn http_headers(&self) -> Vec<(String, String)> {
        self.peer().headers.clone()
    }

    /// Closes the connection. The session cannot be resumed afterwards. An HTTP request is answered all the same.
    pub fn close(&self) {
        if let Kind::Session(session) = &self.0 {
            session.request_close();
        }
    }

    /// Runs `callback` when the session has ended, or the HTTP request; at once if it has.
    pub fn on_close(&self, callback: impl FnOnce() + Send + 'static) {
        match &self.0 {
            Kind::Session(session) => session.on_close(Box::new(callback)),
            Kind::Request(request) => request.on_close.lock().push(Box::new(callback)),
        }
    }
}

impl Peer {
    /// The value of one of the headers that Meteor shows.
    #[cfg(feature = "accounts")]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl RequestConnection {
    /// The same for all requests of one token, or else of one address: what is counted per connection is counted so.
    /// Who knows it has neither the token nor its hash.
    #[cfg(feature = "accounts")]
    fn make_id(&self) -> Box<str> {
        use crate::accounts::LoginSecret;

        match (&self.identity.credential, &self.peer.address) {
            (Some(credential), _) => {
                format!("rest:{}", LoginSecret::from(credential.hashed.to_string()).hashed().as_str()).into()
            }
            (None, Some(address)) => format!("rest:{address}").into(),
            (None, None) => "rest".into(),
        }
    }

    #[cfg(not(feature = "accounts"))]
    fn make_id(&self) -> Box<str> {
        format!("rest:{:?}", self.identity.user).into()
    }
}

impl Drop for RequestConnection {
    fn drop(&mut self) {
        for callback in std::mem::take(self.on_close.get_mut()) {
            if let Err(panic) = super::guarded(callback) {
                tracing::error!(%panic, "an on_close callback panicked");
            }
        }
    }
}

impl fmt::Debug for HeaderCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HeaderCode").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who knows the id could resume the session.
        formatter.debug_struct("Connection").field("address", &self.client_address()).finish_non_exhaustive()
    }
}
