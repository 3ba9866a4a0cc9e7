//! Mistakes of methods and of their errors.

use bolide::conformance::Level::{Ddp, Meteor};
use serde_json::{Value, json};

use crate::faults::{
    append, behind, client, each, edit, error, error_with, followed, is, is_document, lost, lost_if, remove, result_of,
    row, runs, server, twice, with, with_missing, without,
};
use crate::mutation::{Fault, Mutation, Out};

const METHODS: &[&str] = &["methods"];
const ERRORS: &[&str] = &["errors"];
const MALFORMED: &[&str] = &["malformed"];

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("results have no id", Ddp, METHODS, without("result", "id")),
        row("results have another id", Ddp, METHODS, edit("result", |_, m| append(m, "/id", "x"))),
        row("a method without a value has the result null", Ddp, METHODS, edit("result", |_, m| if m.get("error").is_none() && m.get("result").is_none() { m["result"] = Value::Null; })),
        row("good results have the error null", Ddp, METHODS, with_missing("result", "error", Value::Null)),
        row("failed calls have the result null too", Ddp, &["errors", "methods"], edit("result", |_, m| if m.get("error").is_some() { m["result"] = Value::Null; })),
        row("falsy results are left out", Ddp, METHODS, edit("result", |_, m| if [json!(0), json!(false), json!("")].contains(&m["result"]) { remove(m, "/result"); })),
        row("results of null are left out", Ddp, METHODS, edit("result", |_, m| if m.get("result") == Some(&Value::Null) { remove(m, "/result"); })),
        row("results come twice", Ddp, METHODS, twice("result")),
        row("results do not come", Ddp, METHODS, lost("result")),
        row("results of the second call do not come", Ddp, METHODS, each("result", |it, m| { it.count += 1; if it.count == 2 { Vec::new() } else { vec![Out::Message(m)] } })),
        row("updated comes twice", Ddp, METHODS, twice("updated")),
        row("updated does not come", Ddp, METHODS, lost("updated")),
        row("updated has a text for its list", Ddp, METHODS, edit("updated", |_, m| m["methods"] = m["methods"][0].clone())),
        row("updated has the key `id` for its list", Ddp, METHODS, edit("updated", |_, m| { m["id"] = m["methods"][0].clone(); remove(m, "/methods"); })),
        row("updated names another call", Ddp, METHODS, edit("updated", |_, m| append(m, "/methods/0", "x"))),
        row("updated names no call", Ddp, METHODS, with("updated", "methods", json!([]))),
        row("updated does not come for failed calls", Ddp, &["errors", "methods"], server(|it, m| {
            if is(&m, "updated") { it.held.push(Out::Message(m)); return Vec::new(); }
            let held = std::mem::take(&mut it.held);
            if m.get("error").is_some() { vec![Out::Message(m)] } else { [held, vec![Out::Message(m)]].concat() }
        })),
        row("updated comes before the documents of its call", Ddp, &["collections", "ordering", "merge-box"], behind("updated", |it, m| is_document(m) && it.running > 0)),
        row("result comes before updated", Meteor, &["ordering", "methods"], behind("result", |_, m| is(m, "updated"))),
        row("unknown methods are not answered", Ddp, METHODS, lost_if("result", |_, m| m["error"]["error"] == 404)),
        row("unknown methods fail with 500", Ddp, METHODS, error_with(404, |e| e["error"] = 500.into())),
        row("unknown methods return null", Ddp, METHODS, edit("result", |_, m| if m["error"]["error"] == 404 { remove(m, "/error"); m["result"] = Value::Null; })),
        row("failed calls succeed", Ddp, ERRORS, edit("result", |_, m| if m.get("error").is_some() { remove(m, "/error"); m["result"] = Value::Null; })),
        row("results are wrapped in a list", Ddp, METHODS, edit("result", |_, m| if let Some(result) = m.get("result") { m["result"] = json!([result]); })),
        row("parameters are lost", Ddp, METHODS, client("method", |_, m| m["params"] = json!([]))),
        row("parameters after the first are lost", Ddp, METHODS, client("method", |_, m| if let Some(params) = m.pointer_mut("/params").and_then(Value::as_array_mut) { params.truncate(1); })),
        row("parameters are one list", Ddp, METHODS, client("method", |_, m| m["params"] = json!([m["params"]]))),
        row("broadcasts run twice", Ddp, &["streams"], Fault::Client(Box::new(|_, m| {
            if m["method"] != "broadcast" { return vec![m]; }
            let mut again = m.clone();
            again["id"] = "again".into();
            vec![again, m]
        }))),
        row("calls do not wait for each other", Ddp, &["ordering", "methods"], runs("sleep", "sleepUnblocked")),
        row("unblock has no effect", Ddp, &["ordering", "methods"], runs("sleepUnblocked", "sleep")),
        row("a broadcast says that it reached one subscriber always", Ddp, &["streams"], result_of("broadcast", |r| *r = 1.into())),

        row("errors have no message", Ddp, ERRORS, error(|e| remove(e, "/message"))),
        row("errors have a message without the code", Ddp, ERRORS, error(|e| e["message"] = e["reason"].clone())),
        row("errors have no type", Ddp, ERRORS, error(|e| remove(e, "/errorType"))),
        row("errors have the type Error", Ddp, ERRORS, error(|e| e["errorType"] = "Error".into())),
        row("errors have no code", Ddp, ERRORS, error(|e| remove(e, "/error"))),
        row("codes of errors are texts", Ddp, ERRORS, error(|e| if e["error"].is_number() { e["error"] = e["error"].to_string().into(); })),
        row("codes of errors are numbers", Ddp, ERRORS, error(|e| if e["error"].is_string() { e["error"] = 500.into(); })),
        row("errors have no reason", Ddp, ERRORS, error(|e| remove(e, "/reason"))),
        row("errors without a reason have the reason null", Ddp, ERRORS, error(|e| if e.get("reason").is_none() { e["reason"] = Value::Null; })),
        row("errors have no details", Ddp, ERRORS, error(|e| remove(e, "/details"))),
        row("errors have a stack", Meteor, ERRORS, error(|e| e["stack"] = "at main".into())),
        row("errors are not marked as safe for clients", Ddp, ERRORS, error(|e| remove(e, "/isClientSafe"))),
        row("errors are texts", Ddp, ERRORS, error(|e| *e = e["reason"].clone())),
        row("internal errors tell their cause", Ddp, ERRORS, error_with(500, |e| e["reason"] = "the database is on fire".into())),
        row("internal errors have the details of their cause", Ddp, ERRORS, error_with(500, |e| e["details"] = "line 12".into())),
        row("internal errors have the code internal", Ddp, ERRORS, error_with(500, |e| e["error"] = "internal".into())),
        row("a method that panics ends the connection", Ddp, &["errors", "methods"], each("result", |it, m| if it.method_of(&m) == "panicNow" { vec![Out::End(Some(1011))] } else { vec![Out::Message(m)] })),

        row("malformed messages are not answered", Ddp, MALFORMED, lost_if("error", |_, m| m["reason"] == "Bad request")),
        row("malformed messages are answered twice", Ddp, MALFORMED, twice("error")),
        row("malformed messages end the connection", Ddp, MALFORMED, followed("error", |_| vec![Out::End(Some(1002))])),
        row("errors do not name the offending message", Ddp, MALFORMED, without("error", "offendingMessage")),
        row("errors name another offending message", Ddp, MALFORMED, edit("error", |_, m| if m.get("offendingMessage").is_some() { m["offendingMessage"] = json!({}); })),
        row("malformed messages have another reason", Meteor, MALFORMED, with("error", "reason", "Invalid".into())),
        row("errors of messages are errors of results", Ddp, MALFORMED, edit("error", |_, m| m["msg"] = "result".into())),
    ]
}
