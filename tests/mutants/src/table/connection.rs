//! Mistakes of connections: `connect`, heartbeats, the end, resumption.

use std::time::Duration;

use bolide::conformance::Level::{Ddp, Meteor};
use serde_json::json;

use crate::conversation::text;
use crate::faults::{
    append, behind, client, each, edit, followed, is, lost, lost_if, remove, result_of, row, server, twice, unread,
    with, with_missing, without,
};
use crate::mutation::{Ending, Fault, Mutation, Out};

const CONNECTION: &[&str] = &["connection"];
const HEARTBEAT: &[&str] = &["heartbeat"];
const RESUMPTION: &[&str] = &["resumption"];

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("session ids have 16 characters", Meteor, CONNECTION, edit("connected", |_, m| m["session"] = text(m, "session")[..16].into())),
        row("all connections have the same session id", Ddp, CONNECTION, with("connected", "session", "AAAAAAAAAAAAAAAAA".into())),
        row("connected without a session", Ddp, CONNECTION, without("connected", "session")),
        row("connected comes twice", Ddp, CONNECTION, twice("connected")),
        row("connected does not come", Ddp, CONNECTION, lost("connected")),
        row("any version is accepted", Ddp, CONNECTION, client("connect", |_, m| { m["version"] = "1".into(); m["support"] = json!(["1"]); })),
        row("failed without a version", Ddp, CONNECTION, without("failed", "version")),
        row("failed names another version", Ddp, CONNECTION, with("failed", "version", "2".into())),
        row("failed does not end the connection", Ddp, CONNECTION, Fault::End(|it, code| if it.failed { Ending::Never } else { Ending::With(code) })),
        row("failed does not come", Ddp, CONNECTION, lost("failed")),
        row("a message before connect is not answered", Ddp, CONNECTION, lost_if("error", |_, m| m["reason"] == "Must connect first")),
        row("a message before connect ends the connection", Ddp, CONNECTION, followed("error", |m| if m["reason"] == "Must connect first" { vec![Out::End(Some(1000))] } else { Vec::new() })),
        row("a second connect is not answered", Ddp, CONNECTION, lost_if("error", |_, m| m["reason"] == "Already connected")),
        row("a second connect ends the connection", Ddp, CONNECTION, followed("error", |m| if m["reason"] == "Already connected" { vec![Out::End(Some(1000))] } else { Vec::new() })),
        row("close frames are answered with 1000", Ddp, CONNECTION, Fault::End(|_, _| Ending::With(Some(1000)))),
        row("connections end without a close frame", Ddp, &["connection", "heartbeat"], Fault::End(|_, _| Ending::With(None))),
        row("connections do not end", Ddp, CONNECTION, Fault::End(|_, _| Ending::Never)),
        row("frames are binary", Ddp, CONNECTION, Fault::Frame(|text| Out::Binary(text.into_bytes()))),
        row("frames are lists of messages", Ddp, CONNECTION, Fault::Frame(|text| Out::Text(format!("[{text}]")))),
        row("frames are strings of JSON", Ddp, CONNECTION, Fault::Frame(|text| Out::Text(json!(text).to_string()))),
        row("greets with a message of another kind", Ddp, CONNECTION, Fault::Greeting(json!({"msg": "hello"}))),
        row("greets with an error", Ddp, CONNECTION, Fault::Greeting(json!({"msg": "error", "reason": "Must connect first"}))),
        row("headers of the upgrade are lost", Ddp, &["connection-info"], Fault::Open(|opening| opening.headers.clear())),
        row("connectionInfo has no address", Ddp, &["connection-info"], result_of("connectionInfo", |r| remove(r, "/clientAddress"))),
        row("connectionInfo has another id", Ddp, &["connection-info"], result_of("connectionInfo", |r| r["id"] = "AAAAAAAAAAAAAAAAA".into())),
        row("connectionInfo shows cookies", Meteor, &["connection-info"], result_of("connectionInfo", |r| r["httpHeaders"]["cookie"] = "a=b".into())),
        row("connectionInfo has no headers", Ddp, &["connection-info"], result_of("connectionInfo", |r| remove(r, "/httpHeaders"))),

        row("pings are not answered", Ddp, HEARTBEAT, lost("pong")),
        row("pongs have no id", Ddp, HEARTBEAT, without("pong", "id")),
        row("pongs have another id", Ddp, HEARTBEAT, edit("pong", |_, m| append(m, "/id", "x"))),
        row("a pong for a ping without an id has the id null", Ddp, HEARTBEAT, with_missing("pong", "id", json!(null))),
        row("pongs come twice", Ddp, HEARTBEAT, twice("pong")),
        row("pongs wait for the calls before them", Ddp, HEARTBEAT, behind("result", |it, m| is(m, "pong") && it.running > 0)),

        row("sessions are not resumed", Meteor, RESUMPTION, client("connect", |_, m| remove(m, "/session"))),
        row("sessions are not resumed once they had a call", Meteor, RESUMPTION, client("connect", |_, m| if m["receivedCount"].as_u64() > Some(1) { remove(m, "/session"); })),
        row("a new session has the id that the client asked for", Ddp, RESUMPTION, edit("connected", |it, m| if let Some(session) = it.connect.get("session") { m["session"] = session.clone(); })),
        row("messages for a client that is away are lost", Meteor, RESUMPTION, server(|it, m| if it.just_resumed { Vec::new() } else { vec![Out::Message(m)] })),
        row("messages for a client that is away come twice", Meteor, RESUMPTION, server(|it, m| if it.just_resumed { vec![Out::Message(m.clone()), Out::Message(m)] } else { vec![Out::Message(m)] })),
        row("disconnect is ignored", Ddp, RESUMPTION, unread("disconnect")),
        row("the count of a resumption is off by one", Meteor, RESUMPTION, client("connect", |_, m| if let Some(count) = m["receivedCount"].as_u64() { m["receivedCount"] = (count + 1).into(); })),
        row("connections end right after connected", Ddp, CONNECTION, followed("connected", |_| vec![Out::Wait(Duration::from_millis(2)), Out::End(Some(1001))])),
    ]
}

#[rustfmt::skip]
pub(super) fn mistakes_of_heartbeats() -> Vec<Mutation> {
    let pong = || Out::Reply(json!({"msg": "pong"}));
    let rows = vec![
        row("the server does not ping", Ddp, HEARTBEAT, each("ping", move |_, _| vec![pong()])),
        row("the server pings once only", Ddp, HEARTBEAT, each("ping", move |it, m| { it.count += 1; if it.count > 1 { vec![pong()] } else { vec![Out::Message(m)] } })),
        row("pings have an id", Meteor, HEARTBEAT, with("ping", "id", "AAAAAAAAAAAAAAAAA".into())),
        row("pings come twice", Meteor, HEARTBEAT, twice("ping")),
        row("a client that does not answer pings is kept", Ddp, HEARTBEAT, followed("ping", move |_| vec![pong()])),
        row("a client that answers pings is given up", Ddp, HEARTBEAT, unread("pong")),
        row("silence ends a connection with 1001", Ddp, HEARTBEAT, Fault::End(|_, _| Ending::With(Some(1001)))),
        row("silence ends a connection without a close frame", Ddp, HEARTBEAT, Fault::End(|_, _| Ending::With(None))),
        row("sessions of version pre1 are pinged", Ddp, HEARTBEAT, each("connected", |it, m| if it.connect["version"] == "pre1" { vec![Out::Message(m), Out::Wait(Duration::from_millis(400)), Out::Message(json!({"msg": "ping"}))] } else { vec![Out::Message(m)] })),
        row("connections are pinged before connect", Ddp, HEARTBEAT, Fault::Greeting(json!({"msg": "ping"}))),
    ];
    rows.into_iter().map(|row| Mutation { quick_heartbeats: true, ..row }).collect()
}
