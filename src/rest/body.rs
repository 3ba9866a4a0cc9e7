//! The body of a request: limited in length and time, and read as a JSON object.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::answer::{Answer, invalid, refusal};

/// The format of a body, by its content type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// JSON, also if the content type is missing.
    Json,
    /// The content type that `curl -d` sends for everything: JSON if the body begins like an object, otherwise a form.
    Form,
    Other,
}

/// Reads a body up to a maximum length and a timeout.
pub(super) async fn read(body: Body, bytes: usize, patience: Duration) -> Result<Bytes, Box<Answer>> {
    match tokio::time::timeout(patience, Limited::new(body, bytes).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let sentence = format!("The body is longer than {bytes} bytes [error-body-too-long]");
            Err(Box::new(refusal(StatusCode::PAYLOAD_TOO_LARGE, &sentence, "error-body-too-long")))
        }
        Ok(Err(_)) => Err(Box::new(invalid("The body broke off"))),
        Err(_) => Err(Box::new(refusal(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not come [error-timeout]",
            "error-timeout",
        ))),
    }
}

/// Returns the members of a body. An empty body has none.
pub(super) fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Box<Answer>> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let content = content(headers);
    let is_like_json = || body.trim_ascii_start().starts_with(b"{");
    match content {
        Content::Other => {
            let sentence = "The body must be JSON, and its content type application/json [error-content-type]";
            Err(Box::new(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence, "error-content-type")))
        }
        Content::Form if !is_like_json() => Ok(form(body)),
        Content::Json | Content::Form => match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(Box::new(invalid("The body must be a JSON object"))),
        },
    }
}

/// Returns the fields of a form or a query. Of two fields of the same name, the last one counts.
pub(super) fn form(text: &[u8]) -> Map<String, Value> {
    let fields = form_urlencoded::parse(text);
    fields.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

/// Returns whether the content type of a body is JSON or missing.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    content(headers) == Content::Json
}

fn content(headers: &HeaderMap) -> Content {
    let Some(said) = headers.get(CONTENT_TYPE) else { return Content::Json };
    let Ok(said) = said.to_str() else { return Content::Other };
    let kind = said.split(';').next().unwrap_or_default().trim();
    if kind.is_empty() || kind.eq_ignore_ascii_case("application/json") {
        return Content::Json;
    }
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") { Content::Form } else { Content::Other }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(content_type: &str, body: &str) -> Option<Value> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        object(&headers, body.as_bytes()).ok().map(Value::Object)
    }

    #[test]
    fn json_is_read_whatever_curl_says_of_it() {
        for content_type in
            ["", "application/json", "Application/JSON; charset=utf-8", "application/x-www-form-urlencoded"]
        {
            assert_eq!(members(content_type, r#" {"a":1}"#), Some(json!({ "a": 1 })), "{content_type}");
        }
        assert_eq!(
            members("application/x-www-form-urlencoded", "user=a%40b&password=c+d"),
            Some(json!({ "user": "a@b", "password": "c d" }))
        );
    }

    #[test]
    fn other_content_types_and_other_json_are_refused() {
        for content_type in ["text/plain", "multipart/form-data; boundary=x", "application/xml", "json"] {
            assert_eq!(members(content_type, r#"{"a":1}"#), None, "{content_type}");
        }
        for body in ["[]", "1", "null", "\"a\"", "{", "{\"a\":}", "{\"a\":1} x"] {
            assert_eq!(members("application/json", body), None, "{body}");
        }
    }
}
