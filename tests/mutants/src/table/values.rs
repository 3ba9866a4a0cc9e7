//! Mistakes of values: EJSON, texts, numbers, random streams.

use bolide::conformance::Level::Ddp;
use serde_json::{Value, json};

use crate::faults::{call, client, is, remove, result_of, row, values};
use crate::mutation::{Fault, Mutation};

const EJSON: &[&str] = &["ejson"];
const RANDOM: &[&str] = &["random-streams"];
const PLAIN: &[&str] = &["values", "methods", "ejson"];

#[rustfmt::skip]
pub(super) fn mistakes() -> Vec<Mutation> {
    vec![
        row("dates are texts", Ddp, EJSON, values(|v| if let Some(date) = v.get("$date") { *v = date.to_string().into(); })),
        row("dates are in seconds", Ddp, EJSON, values(|v| if let Some(date) = v.get("$date").and_then(Value::as_f64) { v["$date"] = json!(date / 1000.0); })),
        row("dates are a millisecond late", Ddp, EJSON, values(|v| if let Some(date) = v.get("$date").and_then(Value::as_i64) { v["$date"] = (date + 1).into(); })),
        row("dates are texts inside of $date", Ddp, EJSON, values(|v| if let Some(date) = v.get("$date") { v["$date"] = date.to_string().into(); })),
        row("binaries are lists", Ddp, EJSON, values(|v| if v.get("$binary").is_some() { *v = json!([1, 2]); })),
        row("binaries have no padding", Ddp, EJSON, values(|v| if let Some(text) = v.get("$binary").and_then(Value::as_str) { v["$binary"] = text.trim_end_matches('=').into(); })),
        row("infinity and NaN are null", Ddp, EJSON, values(|v| if v.get("$InfNaN").is_some() { *v = Value::Null; })),
        row("infinity and NaN have another sign", Ddp, EJSON, values(|v| if let Some(sign) = v.get("$InfNaN").and_then(Value::as_i64) { v["$InfNaN"] = (-sign).into(); })),
        row("custom types are their values", Ddp, EJSON, values(|v| if let Some(value) = v.get("$value").cloned() { *v = value; })),
        row("escaped objects are not escaped", Ddp, EJSON, values(|v| if let Some(value) = v.get("$escape").cloned() { *v = value; })),
        row("objects with keys such as $a are escaped", Ddp, PLAIN, values(|v| if v.as_object().is_some_and(|it| it.len() == 1 && it.keys().any(|key| key.starts_with('$') && !["$date", "$binary", "$InfNaN", "$escape", "$type"].contains(&key.as_str()))) { *v = json!({"$escape": v}); })),
        row("keys with a dollar sign are left out", Ddp, EJSON, values(|v| if let Value::Object(it) = v { it.retain(|key, _| !key.starts_with('$')); })),

        row("numbers are whole", Ddp, PLAIN, values(|v| if let Some(number) = v.as_f64().filter(|number| number.fract() != 0.0) { *v = json!(number.trunc()); })),
        row("numbers are texts", Ddp, PLAIN, values(|v| if v.is_number() { *v = v.to_string().into(); })),
        row("negative numbers are positive", Ddp, PLAIN, values(|v| if let Some(number) = v.as_f64().filter(|number| *number < 0.0) { *v = json!(-number); })),
        row("large numbers are rounded to 32 bits", Ddp, PLAIN, values(|v| if let Some(number) = v.as_i64().filter(|number| i32::try_from(*number).is_err()) { *v = (number & 0xffff_ffff).into(); })),
        row("texts are trimmed", Ddp, PLAIN, values(|v| if let Value::String(text) = v { *text = text.trim().to_owned(); })),
        row("texts beyond ASCII are lost", Ddp, PLAIN, values(|v| if let Value::String(text) = v { text.retain(|character| character.is_ascii()); })),
        row("texts beyond the basic plane are lost", Ddp, PLAIN, values(|v| if let Value::String(text) = v { text.retain(|character| u32::from(character) < 0x1_0000); })),
        row("empty texts are null", Ddp, PLAIN, values(|v| if v == "" { *v = Value::Null; })),
        row("empty lists are null", Ddp, PLAIN, values(|v| if v.as_array().is_some_and(Vec::is_empty) { *v = Value::Null; })),
        row("empty objects are null", Ddp, PLAIN, values(|v| if v.as_object().is_some_and(serde_json::Map::is_empty) { *v = Value::Null; })),
        row("members that are null are left out", Ddp, PLAIN, values(|v| if let Value::Object(it) = v { it.retain(|_, value| !value.is_null()); })),
        row("texts are cut after 4096 characters", Ddp, PLAIN, values(|v| if let Value::String(text) = v { *text = text.chars().take(4096).collect(); })),
        row("lists are cut after 100 elements", Ddp, PLAIN, values(|v| if let Value::Array(items) = v { items.truncate(100); })),
        row("true is 1", Ddp, PLAIN, values(|v| if *v == json!(true) { *v = 1.into(); })),

        row("seeds are ignored", Ddp, RANDOM, client("method", |_, m| remove(m, "/randomSeed"))),
        row("seeds are read as numbers", Ddp, &["values"], client("method", |_, m| if let Some(number) = m["randomSeed"].as_str().and_then(|seed| seed.parse::<f64>().ok()) { m["randomSeed"] = number.to_string().into(); })),
        row("seeds are in lower case", Ddp, &["values"], client("method", |_, m| if let Some(seed) = m["randomSeed"].as_str() { m["randomSeed"] = seed.to_lowercase().into(); })),
        row("seeds are cut after 16 characters", Ddp, RANDOM, client("method", |_, m| if let Some(seed) = m["randomSeed"].as_str() { m["randomSeed"] = seed.chars().take(16).collect::<String>().into(); })),
        row("calls without a seed have the seed 0", Ddp, RANDOM, client("method", |_, m| if m.get("randomSeed").is_none() && m["method"] == "randomIds" { m["randomSeed"] = "0".into(); })),
        row("all streams of a seed are one", Ddp, RANDOM, call("randomIds", |m| m["params"][0] = "a".into())),
        row("random ids have 16 characters", Ddp, RANDOM, result_of("randomIds", |r| for id in r.as_array_mut().into_iter().flatten() { if let Value::String(id) = id { id.truncate(16); } })),
        row("nested calls have another seed", Ddp, &["random-streams", "nested"], call("nestedRandomIds", |m| remove(m, "/randomSeed"))),
        row("ids of inserted documents ignore the seed", Ddp, &["collections"], call("insertItem", |m| remove(m, "/randomSeed"))),
        row("a seed of the client before is used again", Ddp, RANDOM, Fault::Client(Box::new(|it, mut m| {
            if is(&m, "method") {
                let before = it.calls.values().find_map(|call| call.get("randomSeed").cloned());
                if let (None, Some(seed)) = (m.get("randomSeed"), before) { m["randomSeed"] = seed; }
            }
            vec![m]
        }))),
    ]
}
