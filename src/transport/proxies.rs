//! [`Proxies`]: the proxies between clients and the server, which determine where the client's address is found.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::str::FromStr;

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

use super::remote::Remote;
use crate::error::BuildError;
use crate::peer::Network;
use crate::shares::Source;

/// The address of a trusted proxy, or of a network of them, or `unix` for the proxies that connect over a Unix socket. Its
/// `x-forwarded-for` header is trusted.
///
/// ```
/// use bolide::TrustedProxy;
///
/// let network: TrustedProxy = "10.0.0.0/8".parse()?;
/// let one: TrustedProxy = "2001:db8::7".parse()?;
/// let local: TrustedProxy = "unix".parse()?;
/// assert!("everybody".parse::<TrustedProxy>().is_err());
/// # Ok::<(), bolide::InvalidProxy>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(Trusted);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trusted {
    Network(IpNet),
    /// All processes that can connect to a Unix socket of the server.
    UnixSocket,
}

/// The error for a text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address such as 192.0.2.7 nor a network such as 10.0.0.0/8 nor `unix`")]
pub struct InvalidProxy(String);

/// The rule that finds the address of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxies {
    /// Clients connect directly. Their `x-forwarded-for` header is not trusted.
    None,
    /// Meteor's rule since 3.2.2: the header must contain exactly one address for each proxy. If a client adds an
    /// address itself, its address is unknown.
    Counted(NonZeroUsize),
    /// The addresses in `x-forwarded-for` are read from right to left, as long as the proxy that added them is trusted.
    Trusted(Vec<TrustedProxy>),
}

impl Proxies {
    /// Creates the rule from the settings.
    ///
    /// # Errors
    /// Returns [`BuildError::TwoProxyRules`] if both settings are present.
    pub(crate) fn new(forwarded_count: usize, trusted: Vec<TrustedProxy>) -> Result<Self, BuildError> {
        match (NonZeroUsize::new(forwarded_count), trusted.is_empty()) {
            (None, true) => Ok(Self::None),
            (Some(count), true) => Ok(Self::Counted(count)),
            (None, false) => Ok(Self::Trusted(trusted)),
            (Some(_), false) => Err(BuildError::TwoProxyRules),
        }
    }

    /// Returns what an accepted connection counts for. The clients of a proxy are counted by their requests.
    pub(super) fn source_of_socket(&self, socket: Remote) -> Source {
        let is_proxy = match self {
            Self::None => false,
            Self::Counted(_) => true,
            Self::Trusted(proxies) => is_trusted_remote(proxies, socket),
        };
        if is_proxy {
            return Source::Proxy;
        }
        socket.ip().map_or(Source::Unknown, |address| Source::Network(Network::of(address)))
    }

    /// Returns the client's address, or `None` if the number of addresses does not match the number of proxies. An IPv4
    /// address that is mapped to IPv6 (`::ffff:192.0.2.7`, on a socket for both) is the IPv4 address. The address of a client
    /// on a Unix socket is unknown, unless it is a trusted proxy that names one.
    pub(crate) fn client_address(&self, socket: Remote, headers: &HeaderMap) -> Option<IpAddr> {
        match self {
            Self::None => socket.ip(),
            Self::Counted(count) => counted(headers, count.get()),
            Self::Trusted(proxies) => followed(proxies, socket, headers),
        }
    }

    /// Returns whether a request comes from a proxy whose headers are trusted.
    #[cfg(feature = "accounts")]
    pub(crate) fn is_proxy(&self, socket: Remote) -> bool {
        match self {
            Self::None => false,
            Self::Counted(_) => true,
            Self::Trusted(proxies) => is_trusted_remote(proxies, socket),
        }
    }
}

fn counted(headers: &HeaderMap, count: usize) -> Option<IpAddr> {
    let hops: Vec<&str> = hops(headers).filter(|hop| !hop.is_empty()).collect();
    if hops.len() == count { address(hops.first()?) } else { None }
}

/// Returns the first address from the right that is not trusted, or the last one before a malformed address.
fn followed(proxies: &[TrustedProxy], socket: Remote, headers: &HeaderMap) -> Option<IpAddr> {
    let mut nearest = socket.ip();
    if !is_trusted_remote(proxies, socket) {
        return nearest;
    }
    let hops: Vec<&str> = hops(headers).collect();
    for hop in hops.into_iter().rev() {
        let Some(address) = address(hop) else { break };
        nearest = Some(address);
        if !is_trusted(proxies, address) {
            break;
        }
    }
    nearest
}

fn is_trusted(proxies: &[TrustedProxy], address: IpAddr) -> bool {
    proxies.iter().any(|proxy| proxy.contains(address))
}

fn is_trusted_remote(proxies: &[TrustedProxy], socket: Remote) -> bool {
    match socket {
        Remote::Address(address) => is_trusted(proxies, address.ip().to_canonical()),
        Remote::Unix => proxies.iter().any(|proxy| proxy.0 == Trusted::UnixSocket),
        Remote::Unknown => false,
    }
}

/// Returns the addresses in the order in which they were added. A non-text header stands for a malformed address.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all("x-forwarded-for").iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).map(str::trim)
}

/// Parses `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:80`.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

impl TrustedProxy {
    fn contains(&self, address: IpAddr) -> bool {
        matches!(self.0, Trusted::Network(network) if network.contains(&address))
    }
}

impl FromStr for TrustedProxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let text = text.trim();
        if text == "unix" {
            return Ok(Self(Trusted::UnixSocket));
        }
        let network = text.parse::<IpNet>().ok().map(canonical);
        let network = network.or_else(|| text.parse::<IpAddr>().ok().map(|address| address.to_canonical().into()));
        network.map(|network| Self(Trusted::Network(network))).ok_or_else(|| InvalidProxy(text.to_owned()))
    }
}

/// Returns the IPv4 network of a network of IPv4 addresses that are mapped to IPv6.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let unmapped = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    let unmapped = unmapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    unmapped.map_or(network, IpNet::V4)
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Trusted::Network(network) => network.fmt(formatter),
            Trusted::UnixSocket => formatter.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", http::HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn found(proxies: &Proxies, socket: &str, lines: &[&[u8]]) -> Option<String> {
        let socket = Remote::Address(SocketAddr::new(socket.parse().unwrap(), 5));
        proxies.client_address(socket, &headers(lines)).map(|address| address.to_string())
    }

    fn count(proxies: usize) -> Proxies {
        Proxies::new(proxies, Vec::new()).unwrap()
    }

    fn trust(networks: &[&str]) -> Proxies {
        Proxies::new(0, networks.iter().map(|network| network.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn without_proxies_the_header_is_not_trusted() {
        assert_eq!(found(&count(0), "127.0.0.1", &[b"6.6.6.6"]).as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn a_mapped_ipv4_address_is_the_ipv4_address_everywhere() {
        assert_eq!(found(&count(0), "::ffff:192.0.2.7", &[]).as_deref(), Some("192.0.2.7"));
        assert_eq!(found(&count(1), "127.0.0.1", &[b"::ffff:192.0.2.7"]).as_deref(), Some("192.0.2.7"));
        for trusted in ["::ffff:10.0.0.0/104", "10.0.0.0/8", "::ffff:10.0.0.1"] {
            let inside = trust(&[trusted]);
            assert_eq!(found(&inside, "::ffff:10.0.0.1", &[b"1.1.1.1"]).as_deref(), Some("1.1.1.1"), "{trusted}");
            assert_eq!(found(&inside, "10.0.0.1", &[b"[::ffff:1.1.1.1]:80"]).as_deref(), Some("1.1.1.1"), "{trusted}");
        }
        assert_eq!(trust(&["::/0"]), Proxies::Trusted(vec!["::/0".parse().unwrap()]));
    }

    #[test]
    fn behind_the_configured_number_of_proxies_the_first_address_counts() {
        assert_eq!(found(&count(2), "127.0.0.1", &[b"1.1.1.1, 2.2.2.2"]).as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn with_another_number_of_addresses_the_address_is_unknown() {
        assert_eq!(found(&count(1), "127.0.0.1", &[b"6.6.6.6, 1.1.1.1"]), None);
        assert_eq!(found(&count(2), "127.0.0.1", &[b"1.1.1.1"]), None);
        assert_eq!(found(&count(1), "127.0.0.1", &[]), None);
    }

    #[test]
    fn addresses_are_read_as_long_as_their_proxies_are_trusted() {
        let inside = trust(&["10.0.0.0/8", "192.0.2.7"]);
        for (lines, client) in [
            (&[b"1.1.1.1".as_slice()][..], "1.1.1.1"),
            (&[b"1.1.1.1, 10.0.0.2, 192.0.2.7"], "1.1.1.1"),
            (&[b"1.1.1.1", b"10.0.0.2"], "1.1.1.1"),
            (&[b"1.1.1.1:4711, [2001:db8::1]:80"], "2001:db8::1"),
            (&[b"::ffff:1.1.1.1"], "1.1.1.1"),
            (&[b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(found(&inside, "10.0.0.1", lines).as_deref(), Some(client), "{lines:?}");
        }
    }

    #[test]
    fn addresses_that_a_client_adds_itself_are_ignored() {
        let inside = trust(&["10.0.0.0/8"]);
        assert_eq!(found(&inside, "10.0.0.1", &[b"6.6.6.6, 1.1.1.1"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(found(&inside, "10.0.0.1", &[b"10.0.0.9, 1.1.1.1"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(found(&inside, "1.1.1.1", &[b"6.6.6.6"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(found(&inside, "::ffff:1.1.1.1", &[b"10.0.0.1"]).as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn a_malformed_address_ends_the_search() {
        let inside = trust(&["10.0.0.0/8"]);
        for wrong in
            [&b"unknown"[..], b"", b",", b"1.1.1.1, \xff\xfe", b"6.6.6.6 1.1.1.1", b"1.1.1.1, 256.1.1.1", b"[10.0.0.2"]
        {
            assert_eq!(found(&inside, "10.0.0.1", &[wrong]).as_deref(), Some("10.0.0.1"), "{wrong:?}");
        }
        assert_eq!(found(&inside, "10.0.0.1", &[b"junk, 10.0.0.2"]).as_deref(), Some("10.0.0.2"));
    }

    #[test]
    fn a_unix_socket_is_trusted_only_if_it_is_named() {
        let found = |proxies: &Proxies, lines: &[&[u8]]| {
            let (socket, headers) = (Remote::Unix, headers(lines));
            (
                proxies.client_address(socket, &headers).map(|address| address.to_string()),
                proxies.source_of_socket(socket),
            )
        };
        let unknown = (None, Source::Unknown);
        assert_eq!(found(&count(0), &[b"6.6.6.6"]), unknown);
        assert_eq!(found(&trust(&["0.0.0.0/0", "::/0"]), &[b"6.6.6.6"]), unknown);
        let local = trust(&["unix", "10.0.0.0/8"]);
        let client = |address: &str| (Some(address.to_owned()), Source::Proxy);
        assert_eq!(found(&local, &[b"6.6.6.6, 1.1.1.1"]), client("1.1.1.1"));
        assert_eq!(found(&local, &[b"6.6.6.6, 1.1.1.1, 10.0.0.2"]), client("1.1.1.1"));
        assert_eq!(found(&local, &[]), (None, Source::Proxy));
        assert_eq!(found(&local, &[b"1.1.1.1, unix"]), (None, Source::Proxy));
        assert_eq!(found(&count(1), &[b"1.1.1.1"]), client("1.1.1.1"));
        // A server that mounts the routes does not tell that it is one.
        assert_eq!(local.client_address(Remote::Unknown, &headers(&[b"6.6.6.6"])), None);
    }

    #[test]
    fn both_rules_at_once_are_rejected_with_the_names_of_the_settings() {
        let refused = Proxies::new(1, vec!["10.0.0.0/8".parse().unwrap()]).unwrap_err().to_string();
        assert!(refused.contains("--trusted-proxy") && refused.contains("HTTP_FORWARDED_COUNT"), "{refused}");
    }
}
