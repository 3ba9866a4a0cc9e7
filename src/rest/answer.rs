//! Answers: Rocket.Chat's bodies and statuses, and the headers of every answer.

use axum::body::Body;
use bolide_protocol::error::ErrorCode;
use bolide_protocol::{DdpError, RawJson};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

/// The reason of `error-unauthorized`.
pub(super) const MISSING_PERMISSION: &str = "User does not have the permissions required for this action";

/// An answer.
pub(super) type Answer = Response<Body>;

pub(super) fn answer(status: StatusCode, body: &Value) -> Answer {
    written(status, body.to_string())
}

/// Returns an answer with a JSON text as its body. Its headers forbid browsers to cache it, to guess another type, and to
/// show it in a frame.
pub(super) fn written(status: StatusCode, json: String) -> Answer {
    let mut answer = Response::new(Body::from(json));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.reserve(5);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    answer
}

/// Returns an answer with the members of a result, `success: true`, and the client's own token if it is to be repeated.
pub(super) fn success(result: Option<&RawJson>, own_token: Option<String>) -> Answer {
    let value = result.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let mut body = match value {
        Some(Value::Object(object)) => object,
        None | Some(Value::Null) => Map::new(),
        Some(other) => Map::from_iter([("result".to_owned(), other)]),
    };
    body.extend(own_token.map(|token| ("token".to_owned(), token.into())));
    body.insert("success".into(), true.into());
    answer(StatusCode::OK, &Value::Object(body))
}

/// Returns an error in Rocket.Chat's form.
pub(super) fn failure(error: &DdpError) -> Answer {
    let mut body = Map::new();
    body.insert("success".into(), false.into());
    body.insert("error".into(), error.message().into());
    body.insert("errorType".into(), code(&error.error));
    if let Some(details) = error.details.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()) {
        body.insert("details".into(), details);
    }
    answer(status_of(error), &Value::Object(body))
}

fn status_of(error: &DdpError) -> StatusCode {
    if error.error == ErrorCode::from(500) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if error.error == ErrorCode::from("too-many-requests") {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    if error.error == ErrorCode::from("error-unauthorized") {
        return StatusCode::FORBIDDEN;
    }
    StatusCode::BAD_REQUEST
}

pub(super) fn code(error: &ErrorCode) -> Value {
    serde_json::to_value(error).unwrap_or(Value::Null)
}

/// Returns 401, for an endpoint that needs a signed-in user.
pub(super) fn unauthorized() -> Answer {
    let body = json!({ "status": "error", "message": "You must be logged in to do this.", "success": false });
    answer(StatusCode::UNAUTHORIZED, &body)
}

/// Returns 403, for a user without the permission.
pub(super) fn forbidden() -> Answer {
    let sentence = &format!("{MISSING_PERMISSION} [error-unauthorized]");
    refusal(StatusCode::FORBIDDEN, sentence, "error-unauthorized")
}

/// Returns 400, for a malformed request.
pub(super) fn invalid(sentence: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, &format!("{sentence} [invalid-params]"), "invalid-params")
}

pub(super) fn refusal(status: StatusCode, sentence: &str, code: &str) -> Answer {
    answer(status, &json!({ "success": false, "error": sentence, "errorType": code }))
}
