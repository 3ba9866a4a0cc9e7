//! Mistakes of Meteor's accounts.

use bolide::conformance::Level::{Meteor, RocketChat};
use serde_json::{Value, json};

use crate::faults::{
    call, edit, error_with, fields_in, forgets, login, lost_if, pretends, remove, result_of, row, server,
};
use crate::mutation::{Mutation, Out};

const LOGIN: &[&str] = &["accounts-login", "accounts-secrets"];
const SECRETS: &[&str] = &["accounts-secrets", "users-publication"];
const METHODS: &[&str] = &["accounts-methods"];
const TOKENS: &[&str] = &["accounts-tokens"];

const DAY: i64 = 86_400_000;

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("a login has no token", Meteor, LOGIN, login(|r| remove(r, "/token"))),
        row("a login has no expiry", Meteor, LOGIN, login(|r| remove(r, "/tokenExpires"))),
        row("a login has no id", Meteor, LOGIN, login(|r| remove(r, "/id"))),
        row("a login has no type", Meteor, LOGIN, login(|r| remove(r, "/type"))),
        row("a login has a short token", Meteor, LOGIN, login(|r| if let Value::String(token) = &mut r["token"] { token.truncate(20); })),
        row("all logins have the same token", Meteor, &["accounts-login", "accounts-tokens"], login(|r| r["token"] = "A".repeat(43).into())),
        row("a login expires a day later than it says", Meteor, SECRETS, login(|r| shift(&mut r["tokenExpires"], -DAY))),
        row("a login says that it expires a day late", Meteor, SECRETS, login(|r| shift(&mut r["tokenExpires"], DAY))),
        row("a login says when it began", Meteor, SECRETS, login(|r| shift(&mut r["tokenExpires"], -90 * DAY))),
        row("the expiry is a text", Meteor, LOGIN, login(|r| r["tokenExpires"] = "2030-01-01".into())),
        row("a login shows the digest of the token", Meteor, LOGIN, login(|r| r["hashedToken"] = "x".into())),
        row("users' documents are not sent", Meteor, SECRETS, server(|_, m| if m["collection"] == "users" { Vec::new() } else { vec![Out::Message(m)] })),
        row("users' documents have services", Meteor, SECRETS, fields_in("users", |f| f["services"] = json!({"resume": {}}))),
        row("users' documents have the digests of passwords", Meteor, SECRETS, fields_in("users", |f| f["services"] = json!({"password": {"bcrypt": "$2b$10$"}}))),
        row("users' documents have login tokens", Meteor, SECRETS, fields_in("users", |f| f["loginTokens"] = json!([]))),
        row("users' documents have no username", Meteor, SECRETS, fields_in("users", |f| remove(f, "/username"))),
        row("users' documents have no addresses", Meteor, SECRETS, fields_in("users", |f| remove(f, "/emails"))),
        row("users' documents stay after a logout", Meteor, SECRETS, lost_if("removed", |_, m| m["collection"] == "users")),
        row("logout is forgotten", Meteor, &["accounts-tokens", "accounts-methods", "users-publication"], forgets("logout")),
        row("a wrong password is told from a wrong user", Meteor, LOGIN, edit("result", |it, m| if it.method_of(m) == "login" && m["error"]["error"] == 403 { m["error"]["reason"] = "Incorrect password".into(); m["error"]["message"] = "Incorrect password [403]".into(); })),
        row("a wrong password fails with 401", Meteor, LOGIN, edit("result", |it, m| if it.method_of(m) == "login" && m["error"]["error"] == 403 { m["error"]["error"] = 401.into(); })),
        row("a login with a token fails", Meteor, TOKENS, call("login", |m| if m["params"][0].get("resume").is_some() { m["params"][0]["resume"] = "x".into(); })),
        row("a login with a token has another type", Meteor, TOKENS, login(|r| if r["type"] == "resume" { r["type"] = "password".into(); })),
        row("a login with a token has another token", Meteor, TOKENS, login(|r| if r["type"] == "resume" { r["token"] = "A".repeat(43).into(); })),
        row("removeOtherTokens is forgotten", Meteor, TOKENS, forgets("removeOtherTokens")),
        row("getNewToken returns a token that does not work", Meteor, TOKENS, result_of("getNewToken", |r| r["token"] = "A".repeat(43).into())),
        row("createUser does not log in", Meteor, METHODS, result_of("createUser", |r| *r = json!({"id": r["id"]}))),
        row("createUser returns no id", Meteor, METHODS, result_of("createUser", |r| remove(r, "/id"))),
        row("createUser loses the profile", Meteor, METHODS, call("createUser", |m| remove(m, "/params/0/profile"))),
        row("createUser loses the address", Meteor, METHODS, call("createUser", |m| if m["params"][0].get("username").is_some() { remove(m, "/params/0/email"); })),
        row("changePassword is forgotten", Meteor, METHODS, pretends("changePassword", json!({"passwordChanged": true}))),
        row("forgotPassword is forgotten", Meteor, METHODS, forgets("forgotPassword")),
        row("verifyEmail is forgotten", Meteor, METHODS, forgets("verifyEmail")),
        row("resetPassword does not log in", RocketChat, METHODS, result_of("resetPassword", |r| *r = json!({"id": r["id"]}))),
        row("parameters of account methods are not checked", Meteor, &["accounts-login", "accounts-methods"], error_with(400, |e| { e["error"] = 500.into(); e["reason"] = "Internal server error".into(); e["message"] = "Internal server error [500]".into(); })),
        row("changes of a user are not sent", RocketChat, &["users-publication"], lost_if("changed", |_, m| m["collection"] == "users")),
    ]
}

fn shift(date: &mut Value, milliseconds: i64) {
    if let Some(time) = date["$date"].as_i64() {
        date["$date"] = (time + milliseconds).into();
    }
}
