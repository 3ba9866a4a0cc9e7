//! [`Peer`]: the client at the other end of a connection, as far as the server can tell.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::spans::TraceParent;

/// Where a client is, and what its request's headers say. What few requests have is boxed, since each session keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address. `None` if a proxy was announced and did not name it.
    pub(crate) address: Option<IpAddr>,
    /// The request's headers that Meteor shows to methods, names in lower case.
    pub(crate) headers: ShownHeaders,
    /// The two-factor code in the request's headers.
    pub(crate) header_code: Option<Box<HeaderCode>>,
    /// The trace that the request is part of.
    pub(crate) trace_parent: Option<Box<TraceParent>>,
}

/// Some headers of a request. They are kept as one text, because most connections are never asked for them: each look
/// splits it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShownHeaders {
    /// A line for each: `name: value`.
    lines: Box<str>,
}

/// The values of the headers `x-2fa-code` and `x-2fa-method`. At least one of them is present.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeaderCode {
    pub(crate) code: Option<String>,
    pub(crate) method: Option<String>,
}

/// The addresses that are counted together: one IPv4 address, or one /64 of IPv6, since a customer of a provider has
/// all addresses of such a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Peer {
    /// Returns the value of one of the headers that Meteor shows.
    #[cfg(feature = "accounts")]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Returns the network that the client's address is counted for. `None` if the address is unknown.
    pub(crate) fn network(&self) -> Option<Network> {
        self.address.map(Network::of)
    }
}

impl ShownHeaders {
    /// Returns the names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.lines().filter_map(|line| line.split_once(": "))
    }

    /// Returns the value of a header. `None` if the request did not have it.
    #[cfg(any(feature = "accounts", test))]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}

/// Values are those of headers: they do not contain a line break.
impl<'text> FromIterator<(&'text str, &'text str)> for ShownHeaders {
    fn from_iter<Pairs: IntoIterator<Item = (&'text str, &'text str)>>(pairs: Pairs) -> Self {
        let mut lines = String::new();
        for (name, value) in pairs {
            lines.reserve(name.len() + value.len() + 3);
            lines.extend([name, ": ", value, "\n"]);
        }
        Self { lines: lines.into() }
    }
}

impl Network {
    /// Returns the network of an address. An IPv4 address that is mapped to IPv6 counts as the IPv4 address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(formatter),
            IpAddr::V6(address) => write!(formatter, "{address}/64"),
        }
    }
}

/// A code is a secret: `Debug` leaves it out.
impl fmt::Debug for HeaderCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HeaderCode").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_counted_together() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn a_mapped_ipv4_address_counts_as_the_ipv4_address() {
        assert_eq!(network("::ffff:10.1.2.3"), network("10.1.2.3"));
        assert_eq!(network("::ffff:10.1.2.3").to_string(), "10.1.2.3");
        assert_ne!(network("10.1.2.3"), network("10.1.2.4"));
    }
}
