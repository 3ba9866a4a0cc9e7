//! Mistakes of subscriptions.

use std::time::Duration;

use bolide::conformance::Level::{Ddp, Meteor};
use serde_json::{Value, json};

use crate::conversation::text;
use crate::faults::{
    append, behind, client, each, edit, error_with, followed, forgets, is, is_document, lost, lost_if, row, runs,
    twice, unread, with_missing, without,
};
use crate::mutation::{Fault, Mutation, Out};

const SUBSCRIPTIONS: &[&str] = &["subscriptions"];
const UNSUBSCRIBING: &[&str] = &["unsubscribing", "subscriptions"];
const USER_CHANGE: &[&str] = &["user-change"];

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("ready does not come", Ddp, SUBSCRIPTIONS, lost("ready")),
        row("ready comes twice", Ddp, SUBSCRIPTIONS, twice("ready")),
        row("ready has a text for its list", Ddp, SUBSCRIPTIONS, edit("ready", |_, m| m["subs"] = m["subs"][0].clone())),
        row("ready names another subscription", Ddp, SUBSCRIPTIONS, edit("ready", |_, m| append(m, "/subs/0", "x"))),
        row("ready comes before the documents", Ddp, &["subscription-ordering", "subscriptions"], behind("ready", |_, m| is(m, "added"))),
        row("nosub does not come", Ddp, SUBSCRIPTIONS, lost("nosub")),
        row("nosub comes twice", Ddp, SUBSCRIPTIONS, twice("nosub")),
        row("nosub has no id", Ddp, SUBSCRIPTIONS, without("nosub", "id")),
        row("nosub has the error null", Ddp, SUBSCRIPTIONS, with_missing("nosub", "error", Value::Null)),
        row("a publication that fails is ready", Ddp, SUBSCRIPTIONS, edit("nosub", |_, m| if m.get("error").is_some() { *m = json!({"msg": "ready", "subs": [m["id"]]}); })),
        row("a publication that fails ends without an error", Ddp, SUBSCRIPTIONS, without("nosub", "error")),
        row("unknown publications are not answered", Ddp, SUBSCRIPTIONS, lost_if("nosub", |_, m| m["error"]["error"] == 404)),
        row("unknown publications are ready", Ddp, SUBSCRIPTIONS, edit("nosub", |_, m| if m["error"]["error"] == 404 { *m = json!({"msg": "ready", "subs": [m["id"]]}); })),
        row("unknown publications have another reason", Meteor, SUBSCRIPTIONS, error_with(404, |e| e["reason"] = "Not found".into())),
        row("unsubscribing is not answered", Ddp, UNSUBSCRIBING, lost_if("nosub", |it, m| it.unsubscribed.contains(&text(m, "id")))),
        row("unsubscribing unknown ids is not answered", Ddp, UNSUBSCRIBING, lost_if("nosub", |it, m| !it.subscriptions.contains_key(&text(m, "id")))),
        row("unsubscribing unknown ids fails", Ddp, UNSUBSCRIBING, edit("nosub", |it, m| if !it.subscriptions.contains_key(&text(m, "id")) { m["error"] = json!({"error": 404}); })),
        row("unsubscribing again is not answered", Ddp, UNSUBSCRIBING, lost_if("nosub", |it, m| it.unsubscribed.iter().filter(|id| **id == text(m, "id")).count() > 1)),
        row("unsubscribing leaves the documents", Ddp, SUBSCRIPTIONS, lost_if("removed", |it, _| !it.unsubscribed.is_empty())),
        row("documents are removed after nosub", Ddp, &["subscription-ordering", "subscriptions"], behind("nosub", |it, m| is(m, "removed") && !it.unsubscribed.is_empty())),
        row("unsubscribing is ignored", Ddp, UNSUBSCRIBING, unread("unsub")),
        row("a publication that stops by itself is not reported", Ddp, SUBSCRIPTIONS, lost_if("nosub", |it, m| m.get("error").is_none() && !it.unsubscribed.contains(&text(m, "id")))),
        row("a subscription whose id is taken is run again", Ddp, SUBSCRIPTIONS, Fault::Client(Box::new(|it, mut m| {
            if is(&m, "sub") { it.count += 1; if it.count > 1 { append(&mut m, "/id", "'"); } }
            vec![m]
        }))),
        row("parameters of subscriptions are lost", Ddp, SUBSCRIPTIONS, client("sub", |_, m| m["params"] = json!([]))),
        row("subscriptions do not wait for each other", Ddp, &["subscription-ordering", "subscriptions"], client("sub", |_, m| if m["name"] == "slow" { m["name"] = "slowUnblocked".into(); })),
        row("unblock of subscriptions has no effect", Ddp, &["subscription-ordering", "subscriptions"], client("sub", |_, m| if m["name"] == "slowUnblocked" { m["name"] = "slow".into(); })),
        row("a subscription that fails ends the connection 5 ms later", Ddp, SUBSCRIPTIONS, followed("nosub", |m| if m.get("error").is_some() { vec![Out::Wait(Duration::from_millis(5)), Out::End(Some(1000))] } else { Vec::new() })),
        row("unsubscribing ends the connection 5 ms later", Ddp, UNSUBSCRIBING, followed("nosub", |m| if m.get("error").is_none() { vec![Out::Wait(Duration::from_millis(5)), Out::End(Some(1000))] } else { Vec::new() })),
        row("ready is repeated 5 ms later", Ddp, SUBSCRIPTIONS, followed("ready", |m| vec![Out::Wait(Duration::from_millis(5)), Out::Message(m.clone())])),

        row("a change of the user leaves the documents of the other", Ddp, USER_CHANGE, lost_if("removed", |_, m| m["collection"] == "own")),
        row("a change of the user runs no publication again", Ddp, USER_CHANGE, forgets("setUserId")),
        row("ready is not repeated after a change of the user", Ddp, USER_CHANGE, each("ready", |it, mut m| {
            let known: Vec<Value> = it.held.iter().filter_map(|out| if let Out::Message(id) = out { Some(id.clone()) } else { None }).collect();
            let fresh: Vec<Value> = m["subs"].as_array().into_iter().flatten().filter(|id| !known.contains(id)).cloned().collect();
            it.held.extend(fresh.iter().cloned().map(Out::Message));
            m["subs"] = fresh.clone().into();
            if fresh.is_empty() { Vec::new() } else { vec![Out::Message(m)] }
        })),
        row("documents of a changed user come after updated", Ddp, USER_CHANGE, behind("updated", |it, m| is_document(m) && it.calls.values().any(|call| call["method"] == "setUserId"))),
        row("the user can be changed after unblock", Ddp, USER_CHANGE, runs("setUserIdLate", "setUserId")),
    ]
}
