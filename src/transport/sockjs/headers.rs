//! The common headers of SockJS answers: which origins may read them, and for how long.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

/// Allows the origin of a request, which has been checked. By default all origins are allowed, as in Meteor. This is safe
/// because clients authenticate through DDP, not with cookies.
pub(super) fn allow_origin(answer: &mut HeaderMap, request: &HeaderMap) {
    let origin = request.get(ORIGIN).filter(|origin| !origin.is_empty());
    if origin.is_some() {
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    let anywhere = HeaderValue::from_static("*");
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.cloned().unwrap_or(anywhere));
    answer.insert(VARY, HeaderValue::from_static("Origin"));
    let wanted = request.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = wanted {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
}

/// Forbids caching. Some browsers cache answers to POST too.
pub(super) fn forbid_caching(answer: &mut HeaderMap) {
    let never = "no-store, no-cache, no-transform, must-revalidate, max-age=0";
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(never));
}

pub(super) fn set_content_type(answer: &mut HeaderMap, content_type: &'static str) {
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
}
