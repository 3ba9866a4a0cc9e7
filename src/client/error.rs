//! The errors of a client. Errors of the server keep their details as they were sent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::{DecodeError, EncodeError};

use super::address::InvalidAddress;

/// Why a call, a login or a subscription failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server returned an error, with this code, reason and details.
    #[error(transparent)]
    Server(DdpError),
    /// The server asked for a second factor and the prompt was cancelled. The error is the server's last challenge.
    #[error("no valid second factor was given: {0}")]
    TwoFactorCanceled(DdpError),
    /// The connection was lost before the result arrived: the server may have run the call or not. See
    /// [`Resend`](super::Resend).
    #[error("the connection was lost before the result arrived; the server may have run the call")]
    Interrupted,
    /// The client was closed, or it has given up connecting for this reason.
    #[error("the client is closed")]
    Closed(#[source] Option<Arc<ConnectError>>),
    /// The server rejected the message as malformed, with this reason.
    #[error("the server rejected the message: {0}")]
    Refused(String),
    /// The server's answer is not valid DDP, for this reason.
    #[error("the server's answer is malformed: {0}")]
    Answer(String),
    /// The client already has the maximum number of subscriptions; see [`ClientLimits`](super::ClientLimits).
    #[error("the maximum number of {0} subscriptions is reached; `ClientLimits` changes it")]
    TooManySubscriptions(usize),
    /// The parameters cannot be encoded, or are not an array, a tuple or `()`.
    #[error("the parameters cannot be encoded: {0}")]
    Parameters(EncodeError),
    /// The result is not of the expected type.
    #[error("the result is not of the expected type: {0}")]
    Result(DecodeError),
    /// The server's response over HTTP is not the expected one, for this reason.
    #[error("unexpected response over HTTP: {0}")]
    Http(String),
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl CallError {
    /// Returns the server's error, or `None` if the call failed for another reason.
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
    /// The address is invalid.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The host cannot be reached.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The host and the port.
        host: String,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The connection cannot be encrypted.
    #[error("the TLS handshake with {host} failed: {reason}")]
    Tls {
        /// The host and the port.
        host: String,
        /// The error of the handshake.
        reason: io::Error,
    },
    /// The server answered, but did not open a WebSocket.
    #[error("the server did not open a WebSocket: {0}")]
    WebSocket(String),
    /// The server does not support the client's versions of DDP; it proposes this one.
    #[error("the server proposes DDP version `{0}`, which this client does not support")]
    Version(String),
    /// The server closed the connection before the session was open.
    #[error("the server closed the connection before the session was open")]
    ClosedEarly,
    /// The connection was lost, and the client does not reconnect.
    #[error("the connection was lost")]
    Lost,
    /// The attempt exceeded this timeout.
    #[error("timeout after {0:?}")]
    Timeout(Duration),
    /// The name or the value of this header is malformed.
    #[error("the header `{0}` is malformed")]
    Header(String),
    /// The server sent more documents than the client keeps; see [`ClientLimits`](super::ClientLimits).
    #[error("the server sent more than the maximum of {0} documents; `ClientLimits` changes it")]
    TooManyDocuments(usize),
    /// The server sent a message that is larger than the client accepts; see [`ClientLimits`](super::ClientLimits).
    #[error("the server sent a message of more than the maximum of {0} bytes; `ClientLimits` changes it")]
    MessageTooLarge(usize),
}
