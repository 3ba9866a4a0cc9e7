//! What DDP leaves to the server. No case may report it, up to the level in the table.

use bolide::conformance::Level::{self, Core, Ddp};
use serde_json::{Value, json};

use crate::faults::{
    append, behind, each, edit, error_with, followed, is, lost, row, server, with, with_missing, without,
};
use crate::mutation::{Ending, Fault, Mutation, Out};

/// The levels at which variations are tried, each with those that are legal there.
pub(crate) const LEVELS: [Level; 2] = [Core, Ddp];

#[rustfmt::skip]
pub(crate) fn all() -> Vec<Mutation> {
    vec![
        row("greets with its id", Ddp, &[], Fault::Greeting(json!({"server_id": "0"}))),
        row("greets with an object without msg", Ddp, &[], Fault::Greeting(json!({"welcome": true, "version": "9.9"}))),
        row("session ids are long", Core, &[], edit("connected", |_, m| append(m, "/session", "-of-this-server"))),
        row("messages have one more key", Ddp, &[], server(|_, mut m| { if m.get("msg").is_some() { m["serverTime"] = 1.into(); } vec![Out::Message(m)] })),
        row("errors have one more key", Ddp, &[], server(|_, mut m| { if m["error"].is_object() { m["error"]["stack"] = "at main".into(); } vec![Out::Message(m)] })),
        row("added has empty fields", Ddp, &[], with_missing("added", "fields", json!({}))),
        row("changed has empty fields", Ddp, &[], with_missing("changed", "fields", json!({}))),
        row("changed clears nothing", Ddp, &[], with_missing("changed", "cleared", json!([]))),
        row("a document that is added is changed in nothing", Ddp, &[], followed("added", |m| vec![Out::Message(json!({"msg": "changed", "collection": m["collection"], "id": m["id"]}))])),
        row("result comes before updated", Ddp, &[], behind("result", |it, m| is(m, "updated") && it.running > 0)),
        row("a ping comes before each ready", Ddp, &[], each("ready", |_, m| vec![Out::Message(json!({"msg": "ping"})), Out::Message(m)])),
        row("a ping with an id comes before each document", Ddp, &[], each("added", |_, m| vec![Out::Message(json!({"msg": "ping", "id": "p"})), Out::Message(m)])),

        row("malformed messages have another reason", Core, &[], with("error", "reason", "I do not understand".into())),
        row("errors do not name the offending message", Core, &[], without("error", "offendingMessage")),
        row("malformed messages are not answered", Core, &[], lost("error")),
        row("unknown methods have another reason", Core, &[], error_with(404, |e| { e["reason"] = "no such thing".into(); e["message"] = "no such thing [404]".into(); })),
        row("internal errors have another reason", Core, &[], error_with(500, |e| { e["reason"] = "sorry".into(); e["message"] = "sorry [500]".into(); })),
        row("connections that failed end with 1002", Core, &[], Fault::End(|it, code| Ending::With(if it.failed { Some(1002) } else { code }))),

        row("members of messages are in another order", Ddp, &[], Fault::Frame(|text| Out::Text(serde_json::from_str::<Value>(&text).map(|message| reversed(&message)).unwrap_or(text)))),
        row("characters are escaped", Ddp, &[], Fault::Frame(|text| Out::Text(text.replace('é', "\\u00e9")))),
        row("messages have white space", Ddp, &[], Fault::Frame(|text| Out::Text(format!(" {text} \n")))),
    ]
}

/// Writes a message with its keys in the reverse order.
fn reversed(message: &Value) -> String {
    let members = message.as_object().into_iter().flatten().rev();
    let members: Vec<String> = members.map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    format!("{{{}}}", members.join(","))
}
