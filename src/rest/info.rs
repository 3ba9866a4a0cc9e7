//! `GET /api/info`: the version of the server. Strangers are told its first two numbers only, as by Rocket.Chat.

use axum::extract::Request;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::answer::{Answer, answer, failure};
use super::incoming::Api;
use super::{cors, identity};
use crate::call::{MethodResult, sanitize};
use crate::transport::peer;
use crate::transport::remote::Remote;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The same without the patch version.
const SHORT_VERSION: &str = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

/// Answers a request for the version, of any caller. It has no rate limit.
pub(super) async fn info(api: &Api, request: Request) -> Answer {
    let (head, _) = request.into_parts();
    let mut answer = match is_signed_in(api, &head).await {
        Ok(true) => whole(),
        Ok(false) => short(),
        Err(error) => failure(&sanitize(error, "request", "info", &api.server.core.random_id())),
    };
    allow_pages(api, &head.headers, &mut answer);
    answer
}

fn whole() -> Answer {
    answer(StatusCode::OK, &json!({ "version": VERSION, "info": { "version": VERSION }, "success": true }))
}

fn short() -> Answer {
    answer(StatusCode::OK, &json!({ "version": SHORT_VERSION, "success": true }))
}

async fn is_signed_in(api: &Api, head: &Parts) -> MethodResult<bool> {
    let peer = peer::describe(Remote::of(&head.extensions), &head.headers, &api.server.http.proxies.load());
    Ok(identity::identify(&api.accounts, &head.headers, &peer).await?.user.is_some())
}

fn allow_pages(api: &Api, request: &HeaderMap, answer: &mut Answer) {
    cors::allow(&api.accounts.settings, request.get(ORIGIN), answer.headers_mut());
}
