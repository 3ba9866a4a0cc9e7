//! What can go wrong for a client. Errors of the server keep the wire's details.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::{DecodeError, EncodeError};

use super::InvalidAddress;

/// Why a call, a login or a subscription failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server's answer: code, reason and details as they came.
    #[error(transparent)]
    Server(DdpError),
    /// The server asked for a second factor, and the prompt gave none. The error is the server's last challenge.
    #[error("no code was given for the second factor: {0}")]
    TwoFactorCanceled(DdpError),
    /// The connection was lost while the call was under way: the server may have run it or not. See
    /// [`Resend`](super::Resend).
    #[error("the connection was lost, and nobody knows whether the server has run the call")]
    Interrupted,
    /// The client has been closed, or has given up connecting.
    #[error("the client is closed")]
    Closed(#[source] Option<Arc<ConnectError>>),
    /// The server did not understand the message, with the reason that it gives.
    #[error("the server refuses the message: {0}")]
    Refused(String),
    /// The server's answer is not what DDP says, for this reason.
    #[error("the server's answer is not understood: {0}")]
    Answer(String),
    /// There are too many subscriptions; see [`ClientLimits`](super::ClientLimits).
    #[error("there are {0} subscriptions already, which is the limit of this client")]
    TooManySubscriptions(usize),
    /// The parameters cannot be written, or are no array, tuple or `()`.
    #[error("the parameters cannot be sent: {0}")]
    Parameters(EncodeError),
    /// The result does not fit the type that was asked for.
    #[error("the result is not what was expected: {0}")]
    Result(DecodeError),
    /// The REST interface answered something else than was expected.
    #[error("the server's answer over HTTP is not understood: {0}")]
    Http(String),
    /// The server cannot be reached over HTTP.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl CallError {
    /// The server's own error, if that is what failed.
    #[must_use]
    pub const fn server(&self) -> Option<&DdpError> {
        match self {
            Self::Server(error) | Self::TwoFactorCanceled(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a server cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No address.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// No connection to the host.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The host and the port.
        host: String,
        /// What the system says.
        reason: io::Error,
    },
    /// No encrypted connection.
    #[error("cannot speak TLS with {host}: {reason}")]
    Tls {
        /// The host and the port.
        host: String,
        /// What TLS says.
        reason: io::Error,
    },
    /// The server answered, but not as a WebSocket.
    #[error("the server opens no WebSocket there: {0}")]
    WebSocket(String),
    /// The server speaks none of our versions of DDP; it proposes this one.
    #[error("the server speaks DDP version `{0}`, which this client does not know")]
    Version(String),
    /// The server closed before the session was open.
    #[error("the server closed the connection before the session was open")]
    ClosedEarly,
    /// The connection was lost, and the client does not reconnect.
    #[error("the connection was lost")]
    Lost,
    /// It took too long.
    #[error("no session within {0:?}")]
    Timeout(Duration),
    /// A header that is none.
    #[error("the header `{0}` cannot be sent")]
    Header(String),
    /// The server sent more documents than the client keeps; see [`ClientLimits`](super::ClientLimits).
    #[error("the server sent more than {0} documents, which is the limit of this client")]
    TooManyDocuments(usize),
    /// The server sent a message that is larger than the client takes; see [`ClientLimits`](super::ClientLimits).
    #[error("the server sent a message of more than {0} bytes, which is the limit of this client")]
    MessageTooLarge(usize),
}
