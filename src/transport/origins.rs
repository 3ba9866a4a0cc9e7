//! [`Origins`]: the origins whose pages may open sessions in a browser.

use std::fmt;
use std::str::FromStr;

use http::header::ORIGIN;
use http::{HeaderMap, Uri};

/// The origin of web pages whose browsers may open sessions: `https://chat.example.com`, with a port if it is not the
/// scheme's own.
///
/// ```
/// use bolide::AllowedOrigin;
///
/// let origin: AllowedOrigin = "https://chat.example.com".parse()?;
/// assert_eq!(origin, "https://Chat.Example.com:443/".parse()?);
/// assert!("chat.example.com".parse::<AllowedOrigin>().is_err());
/// # Ok::<(), bolide::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(String);

/// The error for a text that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin such as https://chat.example.com or http://localhost:3000")]
pub struct InvalidOrigin(String);

/// The origins whose pages may open sessions.
#[derive(Debug, Default)]
pub(crate) enum Origins {
    /// All of them, as in Meteor.
    #[default]
    Any,
    Listed(Vec<AllowedOrigin>),
}

impl Origins {
    /// Creates the rule from a list. An empty list allows all origins.
    pub(crate) fn new(listed: Vec<AllowedOrigin>) -> Self {
        if listed.is_empty() { Self::Any } else { Self::Listed(listed) }
    }

    /// Returns whether a request may open a session or use one. Programs other than browsers send no origin, and may.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let Self::Listed(listed) = self else { return true };
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<AllowedOrigin>().ok());
        origins.next().is_none() && origin.is_some_and(|origin| listed.contains(&origin))
    }
}

impl FromStr for AllowedOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        normalized(text.trim()).map(Self).ok_or_else(|| InvalidOrigin(text.to_owned()))
    }
}

/// Returns the origin as browsers write it: in lower case, and without the scheme's own port.
fn normalized(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = uri.authority()?;
    if uri.path_and_query().is_some_and(|rest| rest != "/") || authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    Some(match authority.port_u16() {
        Some(port) if port != own_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &Origins, sent: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for origin in sent {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        origins.allow(&headers)
    }

    #[test]
    fn only_listed_origins_are_allowed_and_programs_without_one() {
        let listed =
            Origins::new(vec!["https://a.example".parse().unwrap(), "http://b.example:8080/".parse().unwrap()]);
        for sent in ["https://a.example", "https://A.example:443", "http://b.example:8080"] {
            assert!(allowed(&listed, &[sent]), "{sent}");
        }
        for sent in
            ["http://a.example", "https://a.example.evil", "http://b.example", "null", "", "https://a.example@c"]
        {
            assert!(!allowed(&listed, &[sent]), "{sent}");
        }
        assert!(!allowed(&listed, &["https://a.example", "https://c.example"]));
        assert!(allowed(&listed, &[]));
        assert!(allowed(&Origins::new(Vec::new()), &["https://c.example"]));
    }

    #[test]
    fn other_texts_are_not_origins() {
        for text in
            ["", "*", "a.example", "https://", "ftp://a.example", "https://a.example/path", "https://u@a.example"]
        {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
    }
}
