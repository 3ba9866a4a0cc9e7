//! The header `x-request-id`: each answer has one, which the log has too if the request has failed.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::incoming::Api;
use crate::transport::peer::single;
use crate::transport::remote::Remote;

/// The header.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id that a proxy has given.
const LONGEST: usize = 64;

/// Returns the id of a request: that of a trusted proxy if it is well-formed, or a new one.
pub(super) fn of(api: &Api, socket: Remote, headers: &HeaderMap) -> Arc<str> {
    let given = single(headers, HEADER.as_str()).filter(|id| is_well_formed(id));
    match given.filter(|_| api.server.http.proxies.load().is_proxy(socket)) {
        Some(given) => given.into(),
        None => api.server.core.random_id().into(),
    }
}

/// Adds the id to an answer.
pub(super) fn tell(id: &str, answer: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(id) {
        answer.insert(HEADER, value);
    }
}

/// Returns whether an id is safe to repeat in headers and logs.
fn is_well_formed(id: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    !id.is_empty() && id.len() <= LONGEST && id.bytes().all(is_safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_has_no_spaces_quotes_or_control_characters() {
        for good in [
            "a",
            "7f4c3f52-0b3e-4d0c-9f0e-6d2a5a3c1b2d",
            "Root=1-67891233-abcdef012345678912345678",
            &"x".repeat(LONGEST),
        ] {
            assert!(is_well_formed(good), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a\nb", "é", &"x".repeat(LONGEST + 1)] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
