//! Who is at the other end: the address, also behind proxies, and the headers that a method may see.

use std::net::SocketAddr;

use http::HeaderMap;

use crate::connection::{HeaderCode, Peer};

/// The headers that Meteor shows to methods. No cookie, no origin, no authorization.
const SHOWN_HEADERS: [&str; 14] = [
    "referer",
    "x-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-cluster-client-ip",
    "via",
    "x-real-ip",
    "x-forwarded-proto",
    "x-ssl",
    "dnt",
    "host",
    "user-agent",
    "accept-language",
];

/// Describes the client of a request that came through `forwarded_count` proxies.
pub(crate) fn describe(address: Option<SocketAddr>, headers: &HeaderMap, forwarded_count: usize) -> Peer {
    Peer {
        address: client_address(address, headers, forwarded_count),
        headers: shown(headers),
        shown: header_code(headers),
    }
}

/// A code in the headers; an empty one is none.
fn header_code(headers: &HeaderMap) -> Option<HeaderCode> {
    let value = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let (code, method) = (value("x-2fa-code"), value("x-2fa-method"));
    (code.is_some() || method.is_some()).then_some(HeaderCode { code, method })
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    SHOWN_HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
}

/// Meteor's rule since 3.2.2: as many addresses as proxies, or nothing. A client that sends a hop of its own is then
/// not believed.
fn client_address(address: Option<SocketAddr>, headers: &HeaderMap, forwarded_count: usize) -> Option<String> {
    if forwarded_count == 0 {
        return address.map(|address| address.ip().to_string());
    }
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .filter(|hop| !hop.is_empty())
        .collect();
    if hops.len() == forwarded_count { hops.first().map(|hop| (*hop).to_owned()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded_for: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded_for.parse().unwrap());
        headers
    }

    fn socket() -> SocketAddr {
        "127.0.0.1:5".parse().unwrap()
    }

    #[test]
    fn without_proxies_the_header_is_not_believed() {
        assert_eq!(client_address(Some(socket()), &headers("6.6.6.6"), 0).as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn behind_as_many_proxies_as_announced_the_first_address_counts() {
        assert_eq!(client_address(Some(socket()), &headers("1.1.1.1, 2.2.2.2"), 2).as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn a_hop_too_many_or_too_few_leaves_no_address() {
        assert_eq!(client_address(Some(socket()), &headers("6.6.6.6, 1.1.1.1"), 1), None);
        assert_eq!(client_address(Some(socket()), &headers("1.1.1.1"), 2), None);
        assert_eq!(client_address(Some(socket()), &HeaderMap::new(), 1), None);
    }

    #[test]
    fn cookies_and_authorization_are_not_shown() {
        let mut headers = headers("1.1.1.1");
        headers.insert("cookie", "secret=1".parse().unwrap());
        headers.insert("authorization", "Bearer secret".parse().unwrap());
        headers.insert("user-agent", "test".parse().unwrap());
        let names: Vec<_> = shown(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-forwarded-for", "user-agent"]);
    }
}
