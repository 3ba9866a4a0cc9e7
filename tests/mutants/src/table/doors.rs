//! Mistakes of REST, and of HTTP and SockJS beside it.

use bolide::conformance::Level::{Bolide, Meteor, RocketChat};
use serde_json::{Value, json};

use crate::faults::{answer, answer_at, append, body, remove, row, set_header, set_status};
use crate::mutation::{Fault, Mutation};

const LOGIN: &[&str] = &["rest-login"];
const ENDPOINTS: &[&str] = &["rest-endpoints"];
const CONTENT: &[&str] = &["rest-content"];
const AUTHENTICATION: &[&str] = &["rest-authentication"];
const OWN_ACCOUNT: &[&str] = &["rest-own-account", "rest-content"];
const METHOD_CALL: &[&str] = &["rest-method-call"];
const SOCKJS: &[&str] = &["sockjs"];

const API: &str = "/api/v1";

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("errors of REST are text/html", RocketChat, CONTENT, answer(API, |it| if it.status().as_u16() >= 400 { set_header(it, "content-type", "text/html"); })),
        row("answers of REST are text/plain", RocketChat, CONTENT, answer(API, |it| set_header(it, "content-type", "text/plain"))),
        row("answers of REST have no content type", RocketChat, CONTENT, answer(API, |it| { it.headers_mut().remove("content-type"); })),
        row("errors of REST have the status 200", RocketChat, AUTHENTICATION, answer(API, |it| set_status(it, 200))),
        row("errors of REST have the status 400", RocketChat, AUTHENTICATION, answer(API, |it| if it.status().as_u16() > 400 { set_status(it, 400); })),
        row("answers of REST do not say `success`", RocketChat, LOGIN, body(API, |b| remove(b, "/success"))),
        row("errors of REST say success true", RocketChat, LOGIN, body(API, |b| if b.get("success").is_some() { b["success"] = true.into(); })),
        row("errors of REST have no message", RocketChat, LOGIN, body(API, |b| { remove(b, "/message"); remove(b, "/error"); })),
        row("errors of REST have no errorType", RocketChat, &["rest-two-factor", "rest-endpoints"], body(API, |b| remove(b, "/errorType"))),
        row("questions of REST have no details", RocketChat, &["rest-two-factor"], body(API, |b| remove(b, "/details"))),
        row("a login over REST has no token", RocketChat, LOGIN, body("/api/v1/login", |b| remove(b, "/data/authToken"))),
        row("a login over REST has no user id", RocketChat, LOGIN, body("/api/v1/login", |b| remove(b, "/data/userId"))),
        row("a login over REST has no document", RocketChat, LOGIN, body("/api/v1/login", |b| remove(b, "/data/me"))),
        row("a login over REST has a token that does not work", RocketChat, LOGIN, body("/api/v1/login", |b| if b["data"].get("authToken").is_some() { b["data"]["authToken"] = "A".repeat(43).into(); })),
        row("a login over REST shows the digest of the password", RocketChat, CONTENT, body("/api/v1/login", |b| if b["data"].get("me").is_some() { b["data"]["me"]["services"] = json!({"password": {"bcrypt": "$2b$10$"}}); })),
        row("`me` shows the digest of the password", RocketChat, OWN_ACCOUNT, body("/api/v1/me", |b| if b.get("_id").is_some() { b["services"]["password"]["bcrypt"] = "$2b$10$".into(); })),
        row("`me` shows tokens", RocketChat, OWN_ACCOUNT, body("/api/v1/me", |b| if b.get("_id").is_some() { b["services"]["resume"]["loginTokens"] = json!([]); })),
        row("`me` has no id", RocketChat, OWN_ACCOUNT, body("/api/v1/me", |b| remove(b, "/_id"))),
        row("`me` has no addresses", RocketChat, OWN_ACCOUNT, body("/api/v1/me", |b| remove(b, "/emails"))),
        row("tokens in headers are ignored", RocketChat, AUTHENTICATION, Fault::Request(|request| { request.headers_mut().remove("x-auth-token"); })),
        row("users in headers are ignored", RocketChat, AUTHENTICATION, Fault::Request(|request| { request.headers_mut().remove("x-user-id"); })),
        row("bodies of requests are ignored", RocketChat, LOGIN, Fault::Request(|request| request.body_mut().clear())),
        row("unknown endpoints are answered 200", RocketChat, ENDPOINTS, answer(API, |it| if it.status() == 404 { set_status(it, 200); })),
        row("wrong verbs are answered 404", RocketChat, LOGIN, answer(API, |it| if it.status() == 405 { set_status(it, 404); })),
        row("answers of method.call have an object as message", RocketChat, METHOD_CALL, body("/api/v1/method.call", |b| if let Some(inner) = b["message"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) { b["message"] = inner; })),
        row("answers of method.call have another id", RocketChat, METHOD_CALL, body("/api/v1/method.call", |b| inner(b, |m| append(m, "/id", "x")))),
        row("answers of method.call have no msg", RocketChat, METHOD_CALL, body("/api/v1/method.call", |b| inner(b, |m| remove(m, "/msg")))),
        row("answers of method.call have the result null for none", RocketChat, METHOD_CALL, body("/api/v1/method.call", |b| inner(b, |m| if m.get("error").is_none() && m.get("result").is_none() { m["result"] = Value::Null; }))),
        row("errors of method.call have no code", RocketChat, METHOD_CALL, body("/api/v1/method.call", |b| inner(b, |m| if m.get("error").is_some() { remove(m, "/error/error"); }))),
        row("answers of REST may be cached", Bolide, &["rest-endpoints"], answer(API, |it| { it.headers_mut().remove("cache-control"); })),
        row("`info` has no version", RocketChat, ENDPOINTS, body("/api/info", |b| { remove(b, "/version"); remove(b, "/info/version"); })),
        row("settings have no values", RocketChat, ENDPOINTS, body("/api/v1/settings.public", |b| for setting in b.pointer_mut("/settings").and_then(Value::as_array_mut).into_iter().flatten() { remove(setting, "/value"); })),
    ]
}

#[rustfmt::skip]
pub(super) fn mistakes_of_sockjs() -> Vec<Mutation> {
    vec![
        row("a plain request for the WebSocket is answered 200", Meteor, SOCKJS, answer_at("/websocket", |it| set_status(it, 200))),
        row("info says that there are no WebSockets", Meteor, SOCKJS, body("/sockjs/info", |b| b["websocket"] = false.into())),
        row("info has no entropy", Meteor, SOCKJS, body("/sockjs/info", |b| remove(b, "/entropy"))),
        row("info has the same entropy always", Meteor, SOCKJS, body("/sockjs/info", |b| b["entropy"] = 4.into())),
        row("info has no origins", Meteor, SOCKJS, body("/sockjs/info", |b| remove(b, "/origins"))),
        row("info needs cookies", Meteor, SOCKJS, body("/sockjs/info", |b| b["cookie_needed"] = true.into())),
        row("info is text/html", Meteor, SOCKJS, answer_at("/sockjs/info", |it| set_header(it, "content-type", "text/html"))),
        row("info may be cached", Meteor, SOCKJS, answer_at("/sockjs/info", |it| { it.headers_mut().remove("cache-control"); })),
        row("info is for its own origin only", Meteor, SOCKJS, answer_at("/sockjs/info", |it| { it.headers_mut().remove("access-control-allow-origin"); })),
        row("info is not found", Meteor, SOCKJS, answer_at("/sockjs/info", |it| set_status(it, 404))),
        row("polls are not found", Meteor, SOCKJS, answer_at("/xhr", |it| set_status(it, 404))),
        row("polls are answered with nothing", Meteor, SOCKJS, answer_at("/xhr", |it| it.body_mut().clear())),
        row("polls are answered with heartbeats", Meteor, SOCKJS, answer_at("/xhr", |it| "h\n".clone_into(it.body_mut()))),
        row("frames of polls have no newline", Meteor, SOCKJS, answer_at("/xhr", |it| { let text = it.body().trim_end().to_owned(); *it.body_mut() = text; })),
        row("frames of polls are not lists", Meteor, SOCKJS, answer_at("/xhr", |it| if let Some(text) = it.body().strip_prefix("a[").and_then(|text| text.strip_suffix("]\n")) { let text = format!("m{text}\n"); *it.body_mut() = text; })),
        row("frames of polls have messages that are not texts", Meteor, SOCKJS, answer_at("/xhr", |it| if let Some(Ok(texts)) = it.body().strip_prefix('a').map(serde_json::from_str::<Vec<String>>) { let text = format!("a[{}]\n", texts.join(",")); *it.body_mut() = text; })),
        row("polls are text/html", Meteor, SOCKJS, answer_at("/xhr", |it| set_header(it, "content-type", "text/html"))),
        row("messages over HTTP are answered 200", Meteor, SOCKJS, answer_at("/xhr_send", |it| if it.status() == 204 { set_status(it, 200); })),
        row("messages to unknown sessions are accepted", Meteor, SOCKJS, answer_at("/xhr_send", |it| if it.status() == 404 { set_status(it, 204); })),
        row("malformed messages over HTTP are accepted", Meteor, SOCKJS, answer_at("/xhr_send", |it| if it.status() == 500 { set_status(it, 204); it.body_mut().clear(); })),
        row("messages over HTTP are lost", Meteor, SOCKJS, Fault::Request(|request| if request.uri().path().ends_with("/xhr_send") { "[]".clone_into(request.body_mut()); })),
    ]
}

/// Changes the message that is a text in the answer of `method.call`.
fn inner(body: &mut Value, change: impl Fn(&mut Value)) {
    if let Some(mut message) = body["message"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        change(&mut message);
        body["message"] = message.to_string().into();
    }
}
