//! The description of a client: its address, also behind proxies, and the headers that methods can read.

use http::header::AsHeaderName;
use http::{HeaderMap, HeaderName};

use super::proxies::Proxies;
use super::remote::Remote;
use crate::peer::{HeaderCode, Network, Peer, ShownHeaders};
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

static CODE: HeaderName = HeaderName::from_static("x-2fa-code");
static CODE_METHOD: HeaderName = HeaderName::from_static("x-2fa-method");

/// The maximum length of the value of such a header, in bytes. The rest is cut off, since a connection keeps them.
const LONGEST_HEADER: usize = 1024;

/// Describes the client of a request.
pub(crate) fn describe(remote: Remote, headers: &HeaderMap, proxies: &Proxies) -> Peer {
    Peer {
        address: proxies.client_address(remote, headers),
        headers: shown(headers),
        header_code: header_code(headers).map(Box::new),
        trace_parent: TraceParent::of(headers).map(Box::new),
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
    let (code, method) = (value(&CODE), value(&CODE_METHOD));
    (code.is_some() || method.is_some()).then_some(HeaderCode { code, method })
}

/// Returns the value of a header that authenticates a client. A repeated or non-text header counts as missing, because
/// none of several values is more trustworthy than another.
pub(crate) fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// Finds them in one pass, since a request has fewer headers than could be shown. Of a repeated header, the first counts.
fn shown(headers: &HeaderMap) -> ShownHeaders {
    let mut values = [None; SHOWN_HEADERS.len()];
    for (name, value) in headers {
        if let Some(place) = SHOWN_HEADERS.iter().position(|shown| *shown == name.as_str()) {
            values[place].get_or_insert(value);
        }
    }
    SHOWN_HEADERS
        .iter()
        .zip(values)
        .filter_map(|(name, value)| {
            let text = value?.to_str().ok()?;
            Some((*name, text.get(..LONGEST_HEADER).unwrap_or(text)))
        })
        .collect()
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
        let shown = shown(&headers);
        let names: Vec<_> = shown.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-forwarded-for", "user-agent"]);
    }

    #[test]
    fn a_long_header_is_cut_off() {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", "x".repeat(100_000).parse().unwrap());
        assert_eq!(shown(&headers).get("user-agent").unwrap().len(), LONGEST_HEADER);
    }

    #[test]
    fn headers_are_shown_in_the_order_of_meteor_and_the_first_of_repeated_ones() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("user-agent", "a: b"), ("via", "one"), ("via", "two"), ("referer", ""), ("accept", "*/*")]
        {
            headers.append(name, value.parse().unwrap());
        }
        let shown = shown(&headers);
        let pairs: Vec<_> = shown.iter().collect();
        assert_eq!(pairs, [("referer", ""), ("via", "one"), ("user-agent", "a: b")]);
        assert_eq!((shown.get("via"), shown.get("accept")), (Some("one"), None));
    }

    #[test]
    fn a_repeated_header_whose_first_value_is_not_text_is_not_shown() {
        let mut headers = HeaderMap::new();
        headers.append("via", http::HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("via", "two".parse().unwrap());
        assert_eq!(shown(&headers).iter().count(), 0);
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
