//! [`ClientInfo`]: from where a client comes and which program it is, as tokens, mails and the audit log record it.

use crate::call::Connection;
use crate::peer::Peer;

/// The maximum number of characters of a user agent that is kept.
const LONGEST_USER_AGENT: usize = 200;

/// The address and the program of a client, as far as they are known.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct ClientInfo {
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl ClientInfo {
    /// Describes the client of a connection. Empty for a call that the application makes itself.
    pub(crate) fn of_connection(connection: Option<&Connection>) -> Self {
        connection.map_or_else(Self::default, |connection| Self::of_peer(&connection.peer()))
    }

    pub(crate) fn of_peer(peer: &Peer) -> Self {
        Self {
            address: peer.address.map(|address| address.to_string()),
            user_agent: peer.header("user-agent").map(|text| text.chars().take(LONGEST_USER_AGENT).collect()),
        }
    }
}
