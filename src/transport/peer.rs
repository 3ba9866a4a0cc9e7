//! The description of a client: its address, also behind proxies, and the headers that methods can read.

use http::HeaderMap;

use super::proxies::Proxies;
use super::remote::Remote;
use crate::peer::{HeaderCode, Network, Peer};
use crate::shares::Source;
use crate::spans::TraceParent;

/// The headers that Meteor shows to methods. They do not include `cookie`, `origin` and `authorization`.
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

/// The maximum length of the value of such a header, in bytes. The rest is cut off, since a connection keeps them.
const LONGEST_HEADER: usize = 1024;

/// Describes the client of a request.
pub(crate) fn describe(remote: Remote, headers: &HeaderMap, proxies: &Proxies) -> Peer {
    Peer {
        address: proxies.client_address(remote, headers),
        headers: shown(headers),
        header_code: header_code(headers),
        trace_parent: TraceParent::of(headers),
    }
}

/// Returns what a request counts for.
pub(super) fn source(remote: Remote, headers: &HeaderMap, proxies: &Proxies) -> Source {
    let address = proxies.client_address(remote, headers);
    address.map_or(Source::Unknown, |address| Source::Network(Network::of(address)))
}

/// Returns the two-factor code in the headers, or `None` if it is missing or empty.
fn header_code(headers: &HeaderMap) -> Option<HeaderCode> {
    let value = |name| single(headers, name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
    let (code, method) = (value("x-2fa-code"), value("x-2fa-method"));
    (code.is_some() || method.is_some()).then_some(HeaderCode { code, method })
}

/// Returns the value of a header that authenticates a client. A repeated or non-text header counts as missing, because
/// none of several values is more trustworthy than another.
pub(crate) fn single<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        Some(text.get(..LONGEST_HEADER).unwrap_or(text).to_owned())
    };
    SHOWN_HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_and_authorization_are_not_shown() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.1.1.1".parse().unwrap());
        headers.insert("cookie", "secret=1".parse().unwrap());
        headers.insert("authorization", "Bearer secret".parse().unwrap());
        headers.insert("user-agent", "test".parse().unwrap());
        let names: Vec<_> = shown(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-forwarded-for", "user-agent"]);
    }

    #[test]
    fn a_long_header_is_cut_off() {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", "x".repeat(100_000).parse().unwrap());
        assert_eq!(shown(&headers)[0].1.len(), LONGEST_HEADER);
    }

    #[test]
    fn a_repeated_or_non_text_code_is_missing() {
        let mut headers = HeaderMap::new();
        headers.append("x-2fa-code", "123456".parse().unwrap());
        assert_eq!(header_code(&headers).unwrap().code.as_deref(), Some("123456"));
        headers.append("x-2fa-code", "654321".parse().unwrap());
        assert!(header_code(&headers).is_none());
        headers.insert("x-2fa-code", http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(header_code(&headers).is_none());
    }
}
