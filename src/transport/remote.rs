//! [`Remote`]: the other end of the socket that a request came over.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::Extensions;

/// The other end of the socket that a request came over: a client, or a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remote {
    Address(SocketAddr),
    /// A process on this machine, over a Unix socket.
    Unix,
    /// The server that accepted the connection has not told.
    Unknown,
}

/// Marks the requests that came over a Unix socket. Only our own listener does so.
#[derive(Clone, Copy)]
struct OverUnixSocket;

impl Remote {
    /// Returns what the listener has noted of a request.
    pub(crate) fn of(request: &Extensions) -> Self {
        match request.get::<ConnectInfo<SocketAddr>>() {
            Some(ConnectInfo(address)) => Self::Address(*address),
            None if request.get::<OverUnixSocket>().is_some() => Self::Unix,
            None => Self::Unknown,
        }
    }

    /// Notes it for a request.
    pub(super) fn note(self, request: &mut Extensions) {
        match self {
            Self::Address(address) => drop(request.insert(ConnectInfo(address))),
            Self::Unix => drop(request.insert(OverUnixSocket)),
            Self::Unknown => {}
        }
    }

    /// Returns the address. `None` over a Unix socket. An IPv4 address that is mapped to IPv6 is the IPv4 address.
    pub(super) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.ip().to_canonical()),
            Self::Unix | Self::Unknown => None,
        }
    }
}

impl From<Option<SocketAddr>> for Remote {
    fn from(address: Option<SocketAddr>) -> Self {
        address.map_or(Self::Unknown, Self::Address)
    }
}
