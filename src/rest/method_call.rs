//! `method.call`: a DDP message in the body of a request and of its answer. The message names the method; the path is a
//! label.

use std::borrow::Cow;

use bolide_protocol::{ClientMessage, ServerMessage};
use bytestring::ByteString;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, invalid, written};
use super::incoming::Incoming;
use super::route::{Endpoint, Field, Route, Target};
use crate::call::{Invocation, Parameters};
use crate::settings::{METHOD_CALL_ERRORS_WITH_200, METHOD_CALL_PATH_MUST_MATCH};

/// The body of the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call<'body> {
    #[serde(borrow)]
    message: Cow<'body, str>,
}

#[derive(Serialize)]
struct CallAnswer<'frame> {
    message: &'frame str,
    success: bool,
}

pub(super) fn endpoints() -> [Endpoint; 2] {
    let route = |path: &str, summary: &str| {
        Route::new(path)
            .summary(summary)
            .takes(
                [Field::text("message").about("A DDP message, {msg: \"method\", id, method, params}, as EJSON text")],
            )
            .gives([Field::text("message").about("The DDP message that answers it, as EJSON text")])
    };
    [
        Endpoint::special(
            route("method.call/{*method}", "Calls any method; the message names it, and the path is a label"),
            Target::MethodCall,
        ),
        Endpoint::special(
            route("method.callAnon/{*method}", "Calls a method without authentication"),
            Target::AnonymousMethodCall,
        ),
    ]
}

pub(super) async fn call(incoming: Incoming) -> Answer {
    let text = match message(&incoming) {
        Ok(text) => ByteString::from(text),
        Err(refusal) => return *refusal,
    };
    let Ok(ClientMessage::Method(call)) = ClientMessage::parse(&text, &incoming.server.core.types) else {
        return invalid("The message must be a DDP method call");
    };
    let settings = &incoming.accounts.settings;
    let path = incoming.uri.path();
    if !names(path, &call.method) {
        let (path, method) = (shortened(path), shortened(&call.method));
        tracing::debug!(path, method, "the path of a method.call names another method");
        if settings.get(&METHOD_CALL_PATH_MUST_MATCH) {
            return invalid("The path names another method than the message");
        }
    }
    let outcome = match incoming.server.core.method(&call.method) {
        Ok(method) => {
            let (connection, user) = (incoming.connection, incoming.identity.user);
            let call_of_client =
                Invocation::of_client(&incoming.server.core, method, connection, user, call.random_seed);
            call_of_client.finish(Parameters::from_message(call.params)).await
        }
        Err(unknown) => Err(unknown),
    };
    let success = outcome.is_ok() || settings.get(&METHOD_CALL_ERRORS_WITH_200);
    let frame = ServerMessage::Result { id: call.id, outcome }.to_frame();
    let status = if success { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    written(status, serde_json::to_string(&CallAnswer { message: &frame, success }).unwrap_or_default())
}

/// Returns the message in the body. Other members are rejected.
fn message(incoming: &Incoming) -> Result<String, Box<Answer>> {
    // The fast path, for the body that most clients send.
    if let Ok(call) = serde_json::from_slice::<Call<'_>>(&incoming.body)
        && super::body::is_json(&incoming.headers)
    {
        return Ok(call.message.into_owned());
    }
    let body = incoming.object()?;
    match body.get("message").and_then(serde_json::Value::as_str) {
        Some(message) if body.len() == 1 => Ok(message.to_owned()),
        _ => Err(Box::new(invalid("The body must be {\"message\": \"…\"}, and nothing else"))),
    }
}

/// Returns whether a path is the label of this method: percent-encoded, with `:` for `/`.
fn names(path: &str, method: &str) -> bool {
    let label =
        path.split_once("method.call").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, label)| label);
    label == method || decoded(label).replace('/', ":") == method.replace('/', ":")
}

fn decoded(label: &str) -> String {
    let mut bytes = Vec::with_capacity(label.len());
    let mut rest = label.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the beginning of a client's text, for the log.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_label_may_be_encoded_and_have_colons_for_slashes() {
        assert!(names("/api/v1/method.call/rooms%3Aget", "rooms/get"));
        assert!(names("/api/v1/method.callAnon/echo", "echo"));
        assert!(!names("/api/v1/method.call/echo", "transferFunds"));
    }
}
