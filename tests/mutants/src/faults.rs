//! How the tables write a mutation in one line.

use bolide::conformance::Level;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::conversation::Conversation;
use crate::mutation::{Fault, Mutation, Out};

pub(crate) fn row(name: &'static str, level: Level, chapters: &'static [&'static str], fault: Fault) -> Mutation {
    Mutation { name, level, chapters, quick_heartbeats: false, fault }
}

pub(crate) fn is(message: &Value, msg: &str) -> bool {
    message["msg"] == msg
}

pub(crate) fn is_document(message: &Value) -> bool {
    is(message, "added") || is(message, "changed") || is(message, "removed")
}

/// Rewrites all messages of the server.
pub(crate) fn server(rewrite: impl Fn(&mut Conversation, Value) -> Vec<Out> + Send + Sync + 'static) -> Fault {
    Fault::Server(Box::new(rewrite))
}

/// Rewrites the server's messages of this kind.
pub(crate) fn each(
    msg: &'static str,
    rewrite: impl Fn(&mut Conversation, Value) -> Vec<Out> + Send + Sync + 'static,
) -> Fault {
    server(
        move |conversation, message| {
            if is(&message, msg) { rewrite(conversation, message) } else { vec![Out::Message(message)] }
        },
    )
}

/// Changes the server's messages of this kind.
pub(crate) fn edit(msg: &'static str, change: impl Fn(&Conversation, &mut Value) + Send + Sync + 'static) -> Fault {
    each(msg, move |conversation, mut message| {
        change(conversation, &mut message);
        vec![Out::Message(message)]
    })
}

pub(crate) fn lost(msg: &'static str) -> Fault {
    each(msg, |_, _| Vec::new())
}

/// Loses the messages of this kind for which the condition holds.
pub(crate) fn lost_if(
    msg: &'static str,
    condition: impl Fn(&Conversation, &Value) -> bool + Send + Sync + 'static,
) -> Fault {
    each(
        msg,
        move |conversation, message| {
            if condition(conversation, &message) { Vec::new() } else { vec![Out::Message(message)] }
        },
    )
}

pub(crate) fn twice(msg: &'static str) -> Fault {
    each(msg, |_, message| vec![Out::Message(message.clone()), Out::Message(message)])
}

pub(crate) fn without(msg: &'static str, key: &'static str) -> Fault {
    edit(msg, move |_, message| remove(message, &format!("/{key}")))
}

pub(crate) fn with(msg: &'static str, key: &'static str, value: Value) -> Fault {
    edit(msg, move |_, message| message[key] = value.clone())
}

/// Adds a member to messages of this kind that do not have it.
pub(crate) fn with_missing(msg: &'static str, key: &'static str, value: Value) -> Fault {
    edit(msg, move |_, message| {
        if message.get(key).is_none() {
            message[key] = value.clone();
        }
    })
}

/// Sends this after each message of this kind.
pub(crate) fn followed(msg: &'static str, out: impl Fn(&Value) -> Vec<Out> + Send + Sync + 'static) -> Fault {
    each(msg, move |_, message| {
        let more = out(&message);
        [vec![Out::Message(message)], more].concat()
    })
}

/// Holds messages back until one of this kind, and sends them after it.
pub(crate) fn behind(msg: &'static str, held: fn(&Conversation, &Value) -> bool) -> Fault {
    server(move |conversation, message| {
        if is(&message, msg) {
            let held = std::mem::take(&mut conversation.held);
            return [vec![Out::Message(message)], held].concat();
        }
        if held(conversation, &message) {
            conversation.held.push(Out::Message(message));
            return Vec::new();
        }
        vec![Out::Message(message)]
    })
}

/// Changes the results of calls of a method that succeed.
pub(crate) fn result_of(method: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    edit("result", move |conversation, message| {
        if conversation.method_of(message) == method
            && let Some(result) = message.get_mut("result")
        {
            change(result);
        }
    })
}

/// Changes the results of calls that log in.
pub(crate) fn login(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    edit("result", move |_, message| {
        if let Some(result) = message.get_mut("result").filter(|result| result.get("tokenExpires").is_some()) {
            change(result);
        }
    })
}

/// Changes the errors of methods and publications.
pub(crate) fn error(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    server(move |_, mut message| {
        if (is(&message, "result") || is(&message, "nosub"))
            && let Some(error) = message.get_mut("error")
        {
            change(error);
        }
        vec![Out::Message(message)]
    })
}

/// Changes the errors with this code.
pub(crate) fn error_with(code: impl Into<Value>, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    let code = code.into();
    error(move |error| {
        if error["error"] == code {
            change(error);
        }
    })
}

/// Changes the fields of the documents of a collection.
pub(crate) fn fields_in(collection: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    server(move |_, mut message| {
        if message["collection"] == collection
            && let Some(fields) = message.get_mut("fields")
        {
            change(fields);
        }
        vec![Out::Message(message)]
    })
}

/// Changes all values in results and in fields, from the inside out.
pub(crate) fn values(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    server(move |_, mut message| {
        for key in ["result", "fields"] {
            if let Some(value) = message.get_mut(key) {
                deep(value, &change);
            }
        }
        vec![Out::Message(message)]
    })
}

fn deep(value: &mut Value, change: &impl Fn(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| deep(item, change)),
        Value::Object(members) => members.values_mut().for_each(|member| deep(member, change)),
        _ => {}
    }
    change(value);
}

/// Changes the client's messages of this kind before the server reads them.
pub(crate) fn client(msg: &'static str, change: impl Fn(&Conversation, &mut Value) + Send + Sync + 'static) -> Fault {
    Fault::Client(Box::new(move |conversation, mut message| {
        if is(&message, msg) {
            change(conversation, &mut message);
        }
        vec![message]
    }))
}

pub(crate) fn unread(msg: &'static str) -> Fault {
    Fault::Client(Box::new(move |_, message| if is(&message, msg) { Vec::new() } else { vec![message] }))
}

/// Changes the client's calls of a method before the server reads them.
pub(crate) fn call(method: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    client("method", move |_, message| {
        if message["method"] == method {
            change(message);
        }
    })
}

/// Runs another method in place of this one, with the same parameters.
pub(crate) fn runs(method: &'static str, other: &'static str) -> Fault {
    call(method, move |message| message["method"] = other.into())
}

/// Answers the calls of a method with this value, and does nothing.
pub(crate) fn pretends(method: &'static str, result: Value) -> Fault {
    call(method, move |message| {
        message["method"] = "echo".into();
        message["params"] = Value::Array(vec![result.clone()]);
    })
}

/// Answers the calls of a method without a value, and does nothing.
pub(crate) fn forgets(method: &'static str) -> Fault {
    call(method, |message| {
        message["method"] = "nothing".into();
        message["params"] = Value::Array(Vec::new());
    })
}

/// Changes the answers to requests whose path begins with `path`.
pub(crate) fn answer(path: &'static str, change: impl Fn(&mut Response<String>) + Send + Sync + 'static) -> Fault {
    Fault::Answer(Box::new(move |asked, answer| {
        if asked.starts_with(path) {
            change(answer);
        }
    }))
}

/// Changes the answers to requests whose path ends with `end`.
pub(crate) fn answer_at(end: &'static str, change: impl Fn(&mut Response<String>) + Send + Sync + 'static) -> Fault {
    Fault::Answer(Box::new(move |asked, answer| {
        if asked.ends_with(end) {
            change(answer);
        }
    }))
}

/// Changes the JSON in the answers to requests whose path begins with `path`.
pub(crate) fn body(path: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    answer(path, move |answer| {
        if let Ok(mut value) = serde_json::from_str(answer.body()) {
            change(&mut value);
            *answer.body_mut() = value.to_string();
        }
    })
}

pub(crate) fn set_header(answer: &mut Response<String>, name: &'static str, value: &'static str) {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
}

pub(crate) fn set_status(answer: &mut Response<String>, status: u16) {
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
}

/// Removes the member at this pointer, if it is there.
pub(crate) fn remove(value: &mut Value, pointer: &str) {
    if let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(Value::Object(members)) = value.pointer_mut(parent)
    {
        members.remove(key);
    }
}

/// Appends to the string at this pointer, if it is there.
pub(crate) fn append(value: &mut Value, pointer: &str, end: &str) {
    if let Some(Value::String(text)) = value.pointer_mut(pointer) {
        text.push_str(end);
    }
}
