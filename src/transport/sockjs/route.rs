//! [`Route`]: the meaning of a path below `/sockjs`, and the HTTP methods that it accepts.

use http::Method;

/// The maximum length of an id in a path. Clients generate ids of eight characters.
const MAX_ID_BYTES: usize = 256;

const TO_READ: &[Method] = &[Method::GET];
const TO_READ_FROM_ANYWHERE: &[Method] = &[Method::OPTIONS, Method::GET];
const TO_SEND_FROM_ANYWHERE: &[Method] = &[Method::OPTIONS, Method::POST];

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route<'path> {
    pub(super) endpoint: Endpoint,
    /// The id that the client chose for its session, or an empty string if the path does not contain one.
    pub(super) session: &'path str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Greeting,
    Info,
    RawWebSocket,
    WebSocket,
    Xhr,
    XhrStreaming,
    XhrSend,
}

impl<'path> Route<'path> {
    /// Parses the part of a path after `/sockjs`. A trailing slash is ignored. Returns `None` for an unknown path.
    pub(super) fn find(path: &'path str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let endpoint = match path {
            "" => Endpoint::Greeting,
            "/info" => Endpoint::Info,
            "/websocket" => Endpoint::RawWebSocket,
            _ => return Self::find_in_session(path),
        };
        Some(Self { endpoint, session: "" })
    }

    /// Parses `/server/session/transport`. The part `server` is for load balancers.
    fn find_in_session(path: &'path str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let (server, session, transport) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !is_id(server) || !is_id(session) {
            return None;
        }
        let endpoint = match transport {
            "websocket" => Endpoint::WebSocket,
            "xhr" => Endpoint::Xhr,
            "xhr_streaming" => Endpoint::XhrStreaming,
            "xhr_send" => Endpoint::XhrSend,
            _ => return None,
        };
        Some(Self { endpoint, session })
    }
}

fn is_id(part: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&part.len()) && !part.contains('.')
}

impl Endpoint {
    pub(super) const fn methods(self) -> &'static [Method] {
        match self {
            Self::Greeting | Self::RawWebSocket | Self::WebSocket => TO_READ,
            Self::Info => TO_READ_FROM_ANYWHERE,
            Self::Xhr | Self::XhrStreaming | Self::XhrSend => TO_SEND_FROM_ANYWHERE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Option<Endpoint> {
        Route::find(path).map(|route| route.endpoint)
    }

    #[test]
    fn paths_are_found_with_and_without_a_trailing_slash() {
        for (path, expected) in [
            ("", Endpoint::Greeting),
            ("/info", Endpoint::Info),
            ("/websocket", Endpoint::RawWebSocket),
            ("/000/abcdefgh/websocket", Endpoint::WebSocket),
            ("/000/abcdefgh/xhr", Endpoint::Xhr),
            ("/000/abcdefgh/xhr_streaming", Endpoint::XhrStreaming),
            ("/000/abcdefgh/xhr_send", Endpoint::XhrSend),
        ] {
            assert_eq!(endpoint(path), Some(expected), "{path}");
            assert_eq!(endpoint(&format!("{path}/")), Some(expected), "{path}/");
        }
    }

    #[test]
    fn the_session_is_the_second_part() {
        let route = Route::find("/abcdefgh_i-j%20/abcdefg_i-j%20/xhr");
        assert_eq!(route.map(|route| route.session), Some("abcdefg_i-j%20"));
    }

    #[test]
    fn other_paths_are_not_found() {
        let long = format!("/0/{}/xhr", "a".repeat(MAX_ID_BYTES + 1));
        for path in [
            "//",
            "///",
            "/a",
            "/a.html",
            "/a/a",
            "/a/a/",
            "/a./a/xhr",
            "/a/a./xhr",
            "/./xhr",
            "///xhr",
            "/a//xhr",
            "/a/a/xhr//",
            "/a/a/a/xhr",
            "/a/a/jsonp",
            "/INFO",
            "/iframe.html",
            &long,
        ] {
            assert_eq!(Route::find(path), None, "{path}");
        }
    }
}
