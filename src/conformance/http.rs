//! `http` steps: a request to the server, and the expected response.

use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, Response};
use serde::Deserialize;
use serde_json::Value;

use super::matching::{Mismatch, check_expected, matches};
use super::memory::{Memory, check_sent};
use crate::client::http::HttpClient;

/// A request and its expected response.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request.
    pub request: HttpRequest,
    /// The expected response.
    pub answer: HttpAnswer,
}

/// The request of an `http` step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// The method, such as `GET` or `POST`.
    pub method: String,
    /// The path with its query: a string after its placeholders are replaced.
    pub path: Value,
    /// The headers. A list is a header that is sent several times.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    /// A JSON body.
    pub body: Option<Value>,
    /// A body that is sent unchanged.
    pub text: Option<String>,
}

/// The expected response of an `http` step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Headers that must be present, by lower-case names.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    /// The body as JSON.
    pub body: Option<Value>,
    /// The body as text.
    pub text: Option<Value>,
}

impl Exchange {
    /// Checks all placeholders.
    pub(super) fn check(&self) -> Result<(), String> {
        let (request, answer) = (&self.request, &self.answer);
        if (request.body.is_some() && request.text.is_some()) || (answer.body.is_some() && answer.text.is_some()) {
            return Err("`body` and `text` exclude each other".into());
        }
        check_sent(&request.path)?;
        request.headers.values().chain(&request.body).try_for_each(check_sent)?;
        answer.headers.values().chain(&answer.body).chain(&answer.text).try_for_each(check_expected)
    }
}

impl HttpRequest {
    /// Returns the request with its placeholders replaced.
    pub(super) fn fill(&self, memory: &mut Memory<'_>) -> Result<Request<String>, String> {
        let Value::String(path) = memory.fill(&self.path)? else {
            return Err("the path must be a string".into());
        };
        let mut request = Request::builder().method(self.method.as_str()).uri(path);
        if self.body.is_some() && !self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in &self.headers {
            for value in one_or_many(memory.fill(value)?) {
                request = request.header(name, header_value(&value)?);
            }
        }
        let body = match (&self.body, &self.text) {
            (Some(body), _) => memory.fill(body)?.to_string(),
            (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        };
        request.body(body).map_err(|error| error.to_string())
    }
}

impl HttpAnswer {
    /// Compares a response, and remembers the named values.
    pub(super) fn matches(&self, answer: &Response<String>, memory: &mut Memory<'_>) -> Result<(), Mismatch> {
        if answer.status() != self.status {
            let reason = format!("expected {}, received {}", self.status, answer.status().as_u16());
            return Err(Mismatch::new(reason).under("status"));
        }
        for (name, expected) in &self.headers {
            let place = format!("headers.{name}");
            let found = answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let found = found.ok_or_else(|| Mismatch::new("the header is missing").under(&place))?;
            matches(expected, &found.into(), memory).map_err(|mismatch| mismatch.under(&place))?;
        }
        if let Some(expected) = &self.body {
            let body = serde_json::from_str(answer.body())
                .map_err(|error| Mismatch::new(format!("the body is not JSON: {error}")).under("body"))?;
            matches(expected, &body, memory).map_err(|mismatch| mismatch.under("body"))?;
        }
        if let Some(expected) = &self.text {
            let text = answer.body().as_str().into();
            matches(expected, &text, memory).map_err(|mismatch| mismatch.under("body"))?;
        }
        Ok(())
    }
}

/// Sends a request to an address, which replaces its URI.
pub(super) async fn exchange(
    client: &HttpClient,
    address: &str,
    mut request: Request<String>,
) -> Result<Response<String>, String> {
    *request.uri_mut() = address.parse().map_err(as_text)?;
    let answer = client.send(request).await.map_err(as_text)?;
    Ok(answer.map(|body| String::from_utf8_lossy(&body).into_owned()))
}

/// Formats a request for a failure.
pub(super) fn shown_request(request: &Request<String>) -> String {
    let headers: Vec<String> = request.headers().iter().map(shown_header).collect();
    format!("{} {} {} {}", request.method(), request.uri(), headers.join(" "), request.body())
}

/// Formats a response for a failure.
pub(super) fn shown_answer(answer: &Response<String>) -> String {
    format!("{} {}", answer.status().as_u16(), answer.body())
}

fn shown_header((name, value): (&HeaderName, &HeaderValue)) -> String {
    format!("[{name}: {}]", String::from_utf8_lossy(value.as_bytes()))
}

fn one_or_many(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        one => vec![one],
    }
}

fn header_value(value: &Value) -> Result<HeaderValue, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    HeaderValue::from_bytes(text.as_bytes()).map_err(as_text)
}

fn as_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
