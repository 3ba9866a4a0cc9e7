//! CORS: which web pages of other sites may use REST. By default none; an admin changes the settings. Users are identified
//! by headers that browsers do not send by themselves, so credentials are not allowed.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer::{Answer, refusal};
use crate::settings::{CORS_ENABLED, CORS_ORIGINS, Settings};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, X-2fa-Code, X-2fa-Method",
);
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After");

/// Allows the page that sent the request to read the answer, if the settings allow its origin. Otherwise the headers are
/// missing, and the browser withholds the answer.
pub(super) fn allow(settings: &Settings, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
    let Some(origin) = origin else { return };
    if !settings.get(&CORS_ENABLED) {
        return;
    }
    answer.append(VARY, HeaderValue::from_static("Origin"));
    let Some(allowed) = allowed(&settings.get(&CORS_ORIGINS), origin) else { return };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
}

/// Answers the preflight request that a browser sends before a request of another site.
pub(super) fn preflight(settings: &Settings, request: &HeaderMap) -> Answer {
    if !settings.get(&CORS_ENABLED) {
        let sentence = "Other sites may not use REST; the setting API_Enable_CORS allows it [error-cors-disabled]";
        return refusal(StatusCode::METHOD_NOT_ALLOWED, sentence, "error-cors-disabled");
    }
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    allow(settings, request.get(ORIGIN), headers);
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    answer
}

fn allowed(origins: &str, origin: &HeaderValue) -> Option<HeaderValue> {
    if origins.trim() == "*" {
        return Some(HeaderValue::from_static("*"));
    }
    let own = origin.to_str().ok()?;
    origins.split(',').any(|one| one.trim().trim_end_matches('/') == own).then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_must_be_in_the_list_as_a_whole() {
        let allowed = |origins, origin: &'static str| allowed(origins, &HeaderValue::from_static(origin));
        assert_eq!(allowed("*", "https://a.example").unwrap(), "*");
        assert_eq!(allowed("https://a.example/, https://b.example", "https://b.example").unwrap(), "https://b.example");
        assert!(allowed("https://a.example", "https://a.example.evil").is_none());
        assert!(allowed("https://a.example", "null").is_none());
        assert!(allowed("", "https://a.example").is_none());
    }
}
