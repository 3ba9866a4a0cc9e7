//! [`Address`]: the address of a server, parsed once from what a user types.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// The address of a DDP server.
///
/// `http` and `https` addresses mean `ws` and `wss`. The default path is `/websocket`, as in Meteor and Rocket.Chat.
///
/// ```
/// use bolide::client::Address;
///
/// let address: Address = "https://chat.example.com".parse()?;
/// assert_eq!(address.to_string(), "wss://chat.example.com/websocket");
/// assert_eq!(address.rest("/api/v1/login"), "https://chat.example.com/api/v1/login");
/// # Ok::<(), bolide::client::InvalidAddress>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    uri: Uri,
    security: Security,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Security {
    Plain,
    Tls,
}

/// The error for a text that is not the address of a server. It does not show a password in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is not the address of a DDP server: {reason}")]
pub struct InvalidAddress {
    address: String,
    reason: &'static str,
}

impl Address {
    pub(super) const fn security(&self) -> Security {
        self.security
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the host, without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(match self.security {
            Security::Plain => 80,
            Security::Tls => 443,
        })
    }

    /// Returns whether connections are encrypted (`wss` and `https`).
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.security, Security::Tls)
    }

    /// Returns whether the host is this machine: `localhost`, a name below it, or a loopback address.
    ///
    /// ```
    /// use bolide::client::Address;
    ///
    /// let is_local = |text: &str| text.parse::<Address>().map(|address| address.is_local());
    /// assert_eq!(is_local("ws://localhost:3000"), Ok(true));
    /// assert_eq!(is_local("ws://[::1]:3000"), Ok(true));
    /// assert_eq!(is_local("ws://localhost.example.com"), Ok(false));
    /// ```
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = self.host().trim_end_matches('.').to_ascii_lowercase();
        let is_loopback = host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        host == "localhost" || host.ends_with(".localhost") || is_loopback
    }

    /// Returns the address of a REST endpoint of the same server. A server may be mounted below a path: what stands
    /// before `/websocket` in this address is kept.
    #[must_use]
    pub fn rest(&self, path: &str) -> String {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Tls => "https",
        };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let below = self.uri.path().trim_end_matches('/').trim_end_matches("/websocket");
        format!("{scheme}://{authority}{below}{path}")
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |reason| InvalidAddress { address: without_password(text), reason };
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URL"))?;
        let security = match uri.scheme_str() {
            Some("ws" | "http") => Security::Plain,
            Some("wss" | "https") => Security::Tls,
            _ => return Err(invalid("it must begin with ws://, wss://, http:// or https://")),
        };
        let mut parts = uri.into_parts();
        match &parts.authority {
            Some(authority) if authority.as_str().contains('@') => {
                return Err(invalid("an address must not contain a name or a password"));
            }
            Some(authority) if !authority.host().is_empty() => {}
            _ => return Err(invalid("the host is missing")),
        }
        let scheme = match security {
            Security::Plain => "ws",
            Security::Tls => "wss",
        };
        parts.scheme = Scheme::try_from(scheme).ok();
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
        if matches!(path, "" | "/") {
            parts.path_and_query = Some(PathAndQuery::from_static("/websocket"));
        }
        let uri = Uri::from_parts(parts).map_err(|_| invalid("it is not a URL"))?;
        Ok(Self { uri, security })
    }
}

/// Addresses are shown and logged; passwords must not be.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn read(text: &str) -> String {
        text.parse::<Address>().map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    #[test]
    fn a_path_and_a_query_are_kept() {
        assert_eq!(read("ws://localhost:3000/below/websocket?a=1"), "ws://localhost:3000/below/websocket?a=1");
        assert_eq!(read("http://[::1]:3000/"), "ws://[::1]:3000/websocket");
    }

    #[test]
    fn rest_endpoints_are_next_to_the_websocket() {
        let address: Address = "ws://localhost:3000/below/websocket".parse().unwrap();
        assert_eq!(address.rest("/api/v1/login"), "http://localhost:3000/below/api/v1/login");
    }

    #[test]
    fn an_invalid_address_is_rejected_with_a_reason_and_without_its_password() {
        assert!(read("localhost:3000").contains("must begin with ws://"));
        assert!(read("ftp://localhost").contains("must begin with ws://"));
        assert!(read("not an address").contains("not a URL"));
        let refusal = read("ws://ada:secret@localhost");
        assert!(refusal.contains("must not contain") && !refusal.contains("secret"), "{refusal}");
    }
}
