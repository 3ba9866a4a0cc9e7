//! Writes a message that was read and rewritten: with its keys in Meteor's order, which cases of level `meteor` compare.

use serde_json::Value;

/// The keys of messages and errors in the order in which Meteor writes them. Others come after them.
const ORDER: [&str; 24] = [
    "server_id",
    "msg",
    "session",
    "version",
    "support",
    "collection",
    "subs",
    "methods",
    "id",
    "fields",
    "cleared",
    "isClientSafe",
    "error",
    "result",
    "reason",
    "details",
    "message",
    "errorType",
    "offendingMessage",
    "token",
    "tokenExpires",
    "type",
    "$type",
    "$value",
];

/// Returns the text of a message.
pub(crate) fn written(message: &Value) -> String {
    match message {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_by_key(|key| ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len()));
            let members: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}:{}", Value::from(key.as_str()), written(&members[key])))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
