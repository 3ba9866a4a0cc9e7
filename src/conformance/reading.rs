//! [`Reading`]: whether the variations that the DDP specification allows count as differences.

use serde_json::{Map, Value};

/// How the messages of a server are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As the specification demands of clients: unknown members, empty changes and a greeting are ignored.
    Specified,
    /// As they are: Meteor sends none of these.
    Literal,
}

/// The members that clients read. Others are unknown to them.
const KNOWN: [&str; 14] = [
    "msg",
    "id",
    "session",
    "version",
    "collection",
    "fields",
    "cleared",
    "methods",
    "subs",
    "result",
    "error",
    "reason",
    "offendingMessage",
    "before",
];

/// The members of an error that clients read.
const KNOWN_OF_ERRORS: [&str; 6] = ["isClientSafe", "error", "reason", "details", "message", "errorType"];

impl Reading {
    /// Returns what a client makes of a message, or `None` if it ignores it. `is_first` tells whether the server has
    /// sent no DDP message before.
    pub(crate) fn of(self, message: Value, is_first: bool) -> Option<Value> {
        match (self, message) {
            (Self::Specified, Value::Object(members)) => {
                let Some(kind) = members.get("msg") else {
                    return (!is_first).then_some(Value::Object(members));
                };
                let is_change = kind == "changed";
                let members = known(members);
                (!is_change || changes_something(&members)).then_some(Value::Object(members))
            }
            (_, message) => Some(message),
        }
    }
}

fn known(mut members: Map<String, Value>) -> Map<String, Value> {
    members.retain(|name, value| KNOWN.contains(&name.as_str()) && !(is_of_changes(name) && is_empty(value)));
    if let Some(Value::Object(error)) = members.get_mut("error") {
        error.retain(|name, _| KNOWN_OF_ERRORS.contains(&name.as_str()));
    }
    members
}

fn changes_something(members: &Map<String, Value>) -> bool {
    members.keys().any(|name| is_of_changes(name))
}

fn is_of_changes(name: &str) -> bool {
    matches!(name, "fields" | "cleared")
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Reading;

    fn read(message: Value) -> Option<Value> {
        Reading::Specified.of(message, false)
    }

    #[test]
    fn unknown_members_are_ignored() {
        let pong = json!({"msg": "pong", "id": "1"});
        assert_eq!(read(json!({"msg": "pong", "id": "1", "at": 5})), Some(pong));
        let failed = json!({"msg": "result", "id": "1", "error": {"error": 404}});
        assert_eq!(read(json!({"msg": "result", "id": "1", "error": {"error": 404, "stack": []}})), Some(failed));
        let null = json!({"msg": "result", "id": "1", "result": 1, "error": null});
        assert_eq!(read(null.clone()), Some(null));
    }

    #[test]
    fn empty_changes_are_ignored() {
        assert_eq!(read(json!({"msg": "changed", "collection": "c", "id": "1"})), None);
        assert_eq!(read(json!({"msg": "changed", "collection": "c", "id": "1", "fields": {}, "cleared": []})), None);
        let added = json!({"msg": "added", "collection": "c", "id": "1"});
        assert_eq!(read(json!({"msg": "added", "collection": "c", "id": "1", "fields": {}})), Some(added));
    }

    #[test]
    fn a_greeting_is_ignored_before_the_first_message() {
        let greeting = json!({"server_id": "0"});
        assert_eq!(Reading::Specified.of(greeting.clone(), true), None);
        assert_eq!(read(greeting.clone()), Some(greeting));
    }

    #[test]
    fn a_literal_reading_changes_nothing() {
        for message in
            [json!({"server_id": "0"}), json!({"msg": "changed", "fields": {}}), json!({"msg": "pong", "at": 5})]
        {
            assert_eq!(Reading::Literal.of(message.clone(), true), Some(message));
        }
    }
}
