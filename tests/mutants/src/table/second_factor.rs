//! Mistakes of Rocket.Chat's second factor.

use bolide::conformance::Level::{Bolide, RocketChat};
use serde_json::{Value, json};

use crate::faults::{call, edit, error_with, fields_in, forgets, pretends, remove, result_of, row, runs};
use crate::mutation::{Fault, Mutation};

const GATE: &[&str] = &["two-factor-gate"];
const REMEMBER: &[&str] = &["two-factor-remember"];
const HEADERS: &[&str] = &["two-factor-headers"];

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("gated methods do not ask", RocketChat, GATE, pretends("gated", json!("ok"))),
        row("methods that ask trusted clients do not", RocketChat, REMEMBER, runs("gatedNoRemember", "gated")),
        row("methods that require a second factor take the password", RocketChat, &["two-factor-gate", "two-factor-tokens", "two-factor-remember"], runs("gatedSecondFactor", "gated")),
        row("methods for which the password does not count take it", RocketChat, GATE, runs("gatedNoPassword", "gated")),
        row("methods that need fresh trust take any", Bolide, REMEMBER, runs("gatedFresh", "gated")),
        row("nested calls are not gated", RocketChat, &["two-factor-nested"], pretends("outerNested", json!("ok"))),
        row("gated calls in gated calls are asked twice", RocketChat, &["two-factor-nested"], call("gatedNested", |m| m["params"] = json!([]))),
        row("questions have no details", RocketChat, GATE, error_with("totp-required", |e| remove(e, "/details"))),
        row("questions have another code", RocketChat, GATE, error_with("totp-required", |e| e["error"] = 403.into())),
        row("questions do not name the method", RocketChat, GATE, error_with("totp-required", |e| remove(e, "/details/method"))),
        row("questions do not list the methods", RocketChat, GATE, error_with("totp-required", |e| remove(e, "/details/availableMethods"))),
        row("questions say that a code was generated always", RocketChat, &["two-factor-gate", "two-factor-email"], error_with("totp-required", |e| e["details"]["codeGenerated"] = json!(true))),
        row("wrong codes have the code of questions", RocketChat, &["two-factor-totp", "two-factor-email"], error_with("totp-invalid", |e| e["error"] = "totp-required".into())),
        row("wrong codes have no details", RocketChat, &["two-factor-totp", "two-factor-email"], error_with("totp-invalid", |e| remove(e, "/details"))),
        row("methods are given the code", RocketChat, GATE, result_of("transferFunds", |r| r["argc"] = (r["argc"].as_u64().unwrap_or(0) + 1).into())),
        row("eleven backup codes", RocketChat, &["two-factor-totp"], edit("result", |_, m| if let Some(codes) = m.pointer_mut("/result/codes").and_then(Value::as_array_mut) { codes.pop(); })),
        row("all backup codes are equal", RocketChat, &["two-factor-totp"], edit("result", |_, m| if let Some(codes) = m.pointer_mut("/result/codes").and_then(Value::as_array_mut) { let first = codes[0].clone(); codes.fill(first); })),
        row("2fa:disable is forgotten", RocketChat, &["two-factor-totp"], pretends("2fa:disable", json!(true))),
        row("2fa:enable gives the same secret always", RocketChat, &["two-factor-totp"], result_of("2fa:enable", |r| r["secret"] = "JBSWY3DPEHPK3PXP".into())),
        row("2fa:codesRemaining counts one more", RocketChat, &["two-factor-totp"], result_of("2fa:checkCodesRemaining", |r| if let Some(count) = r["remaining"].as_u64() { r["remaining"] = (count + 1).into(); })),
        row("codes in headers of the upgrade are lost", RocketChat, HEADERS, Fault::Open(|opening| opening.headers.retain(|name, _| !name.starts_with("x-2fa")))),
        row("codes in headers of requests are lost", RocketChat, &["rest-two-factor"], Fault::Request(|request| { request.headers_mut().remove("x-2fa-code"); })),
        row("personal access tokens do not bypass", RocketChat, &["two-factor-tokens"], call("personalAccessTokens:generateToken", |m| m["params"][0]["bypassTwoFactor"] = false.into())),
        row("personal access tokens all bypass", RocketChat, &["two-factor-tokens"], call("personalAccessTokens:generateToken", |m| m["params"][0]["bypassTwoFactor"] = true.into())),
        row("personal access tokens are not removed", RocketChat, &["two-factor-tokens"], forgets("personalAccessTokens:removeToken")),
        row("codes of an app at login are not read", RocketChat, &["two-factor-login"], call("login", |m| if let Some(inner) = m["params"][0]["totp"].get("login").cloned() { m["params"][0] = inner; })),
        row("codes by e-mail are not sent", RocketChat, &["two-factor-email"], forgets("sendEmailCode")),
        row("the document does not say which factors there are", RocketChat, &["two-factor-totp", "two-factor-email"], fields_in("users", |f| if f.get("twoFactor").is_some() { f["twoFactor"] = Value::Null; })),
    ]
}
