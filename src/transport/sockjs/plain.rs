//! The answers without a session: `/info`, the greeting, preflight requests and errors.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use http::header::{ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, EXPIRES};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::headers;
use crate::chance::Chance;
use crate::clock::Clock;

/// The time for which a browser may cache the answer to a preflight request.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// The last millisecond that the date format of HTTP can express.
const LAST_DATE: u64 = 253_402_300_799_999;

pub(super) const TEXT: &str = "text/plain; charset=UTF-8";

pub(super) fn greeting() -> Response<Body> {
    text(StatusCode::OK, "Welcome to SockJS!\n")
}

pub(super) fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 Error: Page not found\n")
}

pub(super) fn wrong_method(allowed: &[Method]) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    insert(response.headers_mut(), ALLOW, &names(allowed));
    response
}

/// Answers `/info`. The client measures the round trip, and seeds its random numbers with `entropy`.
pub(super) fn info(chance: &dyn Chance, request: &HeaderMap) -> Response<Body> {
    let mut entropy = [0; 4];
    chance.fill(&mut entropy);
    let entropy = u32::from_le_bytes(entropy);
    let info = format!(r#"{{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":{entropy}}}"#);
    let mut response = Response::new(Body::from(info));
    let answer = response.headers_mut();
    headers::allow_origin(answer, request);
    headers::forbid_caching(answer);
    headers::set_content_type(answer, "application/json; charset=UTF-8");
    response
}

/// Answers the preflight request of a browser.
pub(super) fn preflight(clock: &dyn Clock, request: &HeaderMap, allowed: &[Method]) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let answer = response.headers_mut();
    headers::allow_origin(answer, request);
    let year = YEAR.as_secs();
    insert(answer, CACHE_CONTROL, &format!("public, max-age={year}"));
    insert(answer, EXPIRES, &in_a_year(clock));
    insert(answer, ACCESS_CONTROL_ALLOW_METHODS, &names(allowed));
    insert(answer, ACCESS_CONTROL_MAX_AGE, &year.to_string());
    response
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    headers::set_content_type(response.headers_mut(), TEXT);
    response
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

fn in_a_year(clock: &dyn Clock) -> String {
    let then = u64::try_from(clock.now().plus(YEAR).milliseconds()).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(then.min(LAST_DATE)))
}

/// Adds a header whose value was written by this server.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
