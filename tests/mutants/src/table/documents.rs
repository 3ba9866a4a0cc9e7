//! Mistakes of documents: the merge box, strategies, collections.

use bolide::conformance::Level::Ddp;
use serde_json::{Value, json};

use crate::conversation::{Conversation, text};
use crate::faults::{
    append, call, client, each, edit, forgets, is, is_document, lost, lost_if, remove, row, server, twice, without,
};
use crate::mutation::{Mutation, Out};

const MERGE_BOX: &[&str] = &["merge-box", "collections"];
const STRATEGIES: &[&str] = &["strategies"];
const IDS: &[&str] = &["document-ids"];

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("documents are added again with every ready", Ddp, MERGE_BOX, each("ready", |it, m| {
            let added = it.documents.iter().map(|((collection, id), fields)| Out::Message(json!({"msg": "added", "collection": collection, "id": id, "fields": fields})));
            added.chain([Out::Message(m)]).collect()
        })),
        row("nosub removes all documents of the connection", Ddp, MERGE_BOX, each("nosub", |it, m| {
            let removed = it.documents.keys().map(|(collection, id)| Out::Message(json!({"msg": "removed", "collection": collection, "id": id})));
            removed.chain([Out::Message(m)]).collect()
        })),
        row("changed has all fields of the document", Ddp, MERGE_BOX, edit("changed", |it, m| {
            let mut all = known(it, m);
            all.extend(m["fields"].as_object().cloned().unwrap_or_default());
            m["fields"] = all.into();
        })),
        row("changed has one more field, unchanged", Ddp, MERGE_BOX, edit("changed", |it, m| {
            let more = known(it, m).into_iter().find(|(key, _)| m["fields"].get(key).is_none() && !m["cleared"].as_array().is_some_and(|cleared| cleared.contains(&key.as_str().into())));
            if let Some((key, value)) = more { m["fields"][key] = value; }
        })),
        row("changed does not come", Ddp, MERGE_BOX, lost("changed")),
        row("changed comes twice", Ddp, MERGE_BOX, twice("changed")),
        row("changed does not clear fields", Ddp, MERGE_BOX, without("changed", "cleared")),
        row("cleared fields are null", Ddp, MERGE_BOX, edit("changed", |_, m| {
            for key in m["cleared"].as_array().cloned().unwrap_or_default() { m["fields"][key.as_str().unwrap_or_default()] = Value::Null; }
            remove(m, "/cleared");
        })),
        row("cleared is an object", Ddp, MERGE_BOX, edit("changed", |_, m| if let Some(cleared) = m["cleared"].as_array() { m["cleared"] = cleared.iter().map(|key| (text(&json!({"k": key}), "k"), json!(true))).collect::<serde_json::Map<_, _>>().into(); })),
        row("changes are added", Ddp, MERGE_BOX, edit("changed", |_, m| m["msg"] = "added".into())),
        row("changes have the values of before", Ddp, MERGE_BOX, edit("changed", |it, m| {
            let known = known(it, m);
            if let Some(fields) = m.pointer_mut("/fields").and_then(Value::as_object_mut) { for (key, value) in fields { if let Some(before) = known.get(key) { *value = before.clone(); } } }
        })),
        row("two changes come in the wrong order", Ddp, &["streams", "merge-box"], each("changed", |it, m| {
            it.count += 1;
            if it.count % 2 == 1 { it.held.push(Out::Message(m)); return Vec::new(); }
            [vec![Out::Message(m)], std::mem::take(&mut it.held)].concat()
        })),
        row("removed does not come", Ddp, MERGE_BOX, lost("removed")),
        row("removed comes twice", Ddp, MERGE_BOX, twice("removed")),
        row("removed has the fields of the document", Ddp, MERGE_BOX, edit("removed", |it, m| m["fields"] = known(it, m).into())),
        row("added does not come", Ddp, MERGE_BOX, lost("added")),
        row("added comes twice", Ddp, MERGE_BOX, twice("added")),
        row("added has no fields", Ddp, MERGE_BOX, without("added", "fields")),
        row("added has the id among the fields", Ddp, MERGE_BOX, edit("added", |_, m| m["fields"]["_id"] = m["id"].clone())),
        row("added has its first field only", Ddp, MERGE_BOX, edit("added", |_, m| if let Some(fields) = m["fields"].as_object() { m["fields"] = fields.clone().into_iter().take(1).collect::<serde_json::Map<_, _>>().into(); })),
        row("added is addedBefore", Ddp, MERGE_BOX, edit("added", |_, m| { m["msg"] = "addedBefore".into(); m["before"] = Value::Null; })),
        row("added has another collection", Ddp, MERGE_BOX, edit("added", |_, m| append(m, "/collection", "s"))),
        row("documents come in the reverse order", Ddp, &["streams"], server(|it, m| {
            if is(&m, "added") { it.held.insert(0, Out::Message(m)); return Vec::new(); }
            [std::mem::take(&mut it.held), vec![Out::Message(m)]].concat()
        })),
        row("only a hundred documents come", Ddp, &["streams"], each("added", |it, m| { it.count += 1; if it.count > 100 { Vec::new() } else { vec![Out::Message(m)] } })),
        row("items are inserted under another id", Ddp, &["collections"], call("insertItem", |m| remove(m, "/params/0/_id"))),
        row("updates of items do not clear", Ddp, &["collections"], call("updateItem", |m| remove(m, "/params/1/unset"))),
        row("items are not removed", Ddp, &["collections"], forgets("removeItem")),
        row("selectors of items are ignored", Ddp, &["collections"], client("sub", |_, m| if m["name"] == "itemsWhere" { m["name"] = "items".into(); m["params"] = json!([]); })),

        row("ids lose their escape", Ddp, IDS, id(|id| id.trim_start_matches('-').to_owned())),
        row("ids of ObjectIDs are escaped as texts are", Ddp, IDS, id(|id| if id.len() == 24 { format!("-{id}") } else { id })),
        row("ids that are numbers have no sign of it", Ddp, IDS, id(|id| id.trim_start_matches('~').to_owned())),
        row("ids are in lower case", Ddp, IDS, id(|id| id.to_lowercase())),

        row("NO_MERGE merges what is added", Ddp, STRATEGIES, lost_if("added", |it, m| m["collection"] == "noMerge" && it.documents.contains_key(&("noMerge".into(), text(m, "id"))))),
        row("NO_MERGE_NO_HISTORY merges what is added", Ddp, STRATEGIES, lost_if("added", |it, m| m["collection"] == "noMergeNoHistory" && it.documents.contains_key(&("noMergeNoHistory".into(), text(m, "id"))))),
        row("NO_MERGE removes once only", Ddp, STRATEGIES, lost_if("removed", |it, m| m["collection"] == "noMerge" && !it.documents.contains_key(&("noMerge".into(), text(m, "id"))))),
        row("NO_MERGE drops changes to the same value", Ddp, STRATEGIES, lost_if("changed", |it, m| m["collection"] == "noMerge" && m["fields"].as_object().is_some_and(|fields| { let known = known(it, m); !fields.is_empty() && fields.iter().all(|(key, value)| known.get(key) == Some(value)) }))),
        row("NO_MERGE_MULTI adds for each subscription", Ddp, STRATEGIES, edit("changed", |_, m| if m["collection"] == "noMergeMulti" { m["msg"] = "added".into(); })),
        row("NO_MERGE_NO_HISTORY removes when a subscription ends", Ddp, STRATEGIES, each("nosub", |it, m| {
            let removed = it.documents.keys().filter(|(collection, _)| collection == "noMergeNoHistory");
            let removed = removed.map(|(collection, id)| Out::Message(json!({"msg": "removed", "collection": collection, "id": id})));
            removed.chain([Out::Message(m)]).collect()
        })),
    ]
}

fn id(change: impl Fn(String) -> String + Send + Sync + 'static) -> crate::mutation::Fault {
    server(move |_, mut m| {
        if is_document(&m) {
            m["id"] = change(text(&m, "id")).into();
        }
        vec![Out::Message(m)]
    })
}

/// Returns the fields of the document of a message, as the client knows them.
fn known(conversation: &Conversation, message: &Value) -> serde_json::Map<String, Value> {
    let key = (text(message, "collection"), text(message, "id"));
    conversation.documents.get(&key).cloned().unwrap_or_default()
}
