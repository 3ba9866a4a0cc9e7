//! `method.call`: a DDP message in a body, and the answer in another. The message says which method; the path is a label.

use bolide_protocol::{ClientMessage, DdpError, ServerMessage};
use bytestring::ByteString;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Incoming, answer, invalid, unauthorized};
use crate::context::CallRandom;
use crate::method::Parameters;
use crate::settings::{METHOD_CALL_ERRORS_WITH_200, METHOD_CALL_PATH_MUST_MATCH};

pub(super) async fn signed_in(incoming: Incoming) -> Answer {
    if incoming.identity.user.is_none() {
        return unauthorized();
    }
    call(incoming).await
}

pub(super) async fn anonymous(incoming: Incoming) -> Answer {
    call(incoming).await
}

async fn call(incoming: Incoming) -> Answer {
    let body = match incoming.object() {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let Some(message) = body.get("message").and_then(Value::as_str).filter(|_| body.len() == 1) else {
        return invalid("The body must be {\"message\": \"…\"}, and nothing else");
    };
    let Ok(ClientMessage::Method(call)) = ClientMessage::parse(&ByteString::from(message), &incoming.app.types) else {
        return invalid("The message must be a DDP method call");
    };
    if !names(&incoming.path, &call.method) {
        tracing::warn!(path = incoming.path, method = call.method, "the path of a method.call names another method");
        if incoming.accounts.settings.get(&METHOD_CALL_PATH_MUST_MATCH) {
            return invalid("The path names another method than the message");
        }
    }
    let outcome = match incoming.app.methods.find(&call.method) {
        Some(method) => {
            let parameters = Parameters::from_message(call.params.as_ref(), &incoming.app.types);
            let (connection, user) = (Some(incoming.connection.clone()), incoming.identity.user.clone());
            incoming.app.run(method, connection, user, CallRandom::new(call.random_seed), parameters).await
        }
        None => Err(DdpError::method_not_found(&call.method)),
    };
    let is_good = outcome.is_ok();
    let frame = ServerMessage::Result { id: call.id, outcome }.to_frame();
    let status_is_200 = is_good || incoming.accounts.settings.get(&METHOD_CALL_ERRORS_WITH_200);
    let status = if status_is_200 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    answer(status, &json!({ "message": frame, "success": status_is_200 }))
}

/// Whether a path is the label of this method: percent-encoded, with `:` where the name has `/`.
fn names(path: &str, method: &str) -> bool {
    let label =
        path.split_once("method.call").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, label)| label);
    decoded(label).replace('/', ":") == method.replace('/', ":")
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
