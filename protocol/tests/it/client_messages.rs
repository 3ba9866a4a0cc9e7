//! How messages of clients are read: the same as by a general reader of JSON, whatever their form.

use bolide_protocol::ejson::CustomTypes;
use bolide_protocol::message::{MalformedMessage, MethodInFrame, ReadMessage};
use bolide_protocol::{ClientMessage, RawJson};
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Reads a `method` message. Returns its id, its method and its parameters, after having checked that a copy has the same.
fn read(text: &str) -> Result<(String, String, Option<Vec<Value>>), MalformedMessage> {
    let frame = ByteString::from(text);
    let ReadMessage::Method(call) = ClientMessage::read(&frame, &CustomTypes::default())? else { panic!("{text}") };
    let params = params_of(&call, text);
    let copy = call.into_call();
    assert_eq!(ClientMessage::parse(&frame, &CustomTypes::default()), Ok(ClientMessage::Method(copy.clone())));
    let copied = copy.params.map(|array| array.elements().unwrap().iter().map(value_of).collect());
    assert_eq!(params, copied, "{text}");
    Ok((copy.id, copy.method, params))
}

fn params_of(call: &MethodInFrame<'_>, text: &str) -> Option<Vec<Value>> {
    let elements = call.params.clone()?.into_elements();
    assert_eq!(elements.get(elements.len()), None);
    let values = (0..elements.len()).map(|index| serde_json::from_str(&text[elements.get(index).unwrap()]).unwrap());
    Some(values.collect())
}

fn value_of(raw: &RawJson) -> Value {
    serde_json::from_str(raw.get()).unwrap()
}

#[test]
fn names_and_strings_may_have_escapes() {
    let text = r#"{"m\u0073g":"m\u0065thod","\u0069d":"a\"b\n","method":"add\u0041","par\u0061ms":["\u00e4",1]}"#;
    assert_eq!(read(text), Ok(("a\"b\n".into(), "addA".into(), Some(vec![json!("ä"), json!(1)]))));
}

#[test]
fn of_several_members_with_one_name_the_last_counts() {
    let text = r#"{"msg":"ping","params":[1,2,3,4,5],"id":"1","msg":"method","method":"a","id":"2","params":[6],"method":"b"}"#;
    assert_eq!(read(text), Ok(("2".into(), "b".into(), Some(vec![json!(6)]))));
    let text = r#"{"msg":"method","id":"1","method":"a","params":[1],"params":{}}"#;
    assert_eq!(read(text), Err(MalformedMessage::Method));
    let text = r#"{"msg":"method","id":"1","method":"a","params":null,"params":[ ]}"#;
    assert_eq!(read(text), Ok(("1".into(), "a".into(), Some(vec![]))));
}

#[test]
fn a_method_may_have_no_parameters() {
    assert_eq!(read(r#"{"msg":"method","id":"1","method":"a"}"#), Ok(("1".into(), "a".into(), None)));
}

#[test]
fn a_falsy_kind_is_none_and_another_one_is_unknown() {
    let kind = |kind: &str| {
        let frame = ByteString::from(format!(r#"{{"msg":{kind}}}"#));
        ClientMessage::read(&frame, &CustomTypes::default()).unwrap_err()
    };
    for falsy in ["null", "false", "0", "-0.0", r#""""#] {
        assert_eq!(kind(falsy), MalformedMessage::NoKind, "{falsy}");
    }
    for unknown in ["1", "true", "[]", "{}", r#""Method""#, r#""\u0000""#] {
        assert_eq!(kind(unknown), MalformedMessage::UnknownKind, "{unknown}");
    }
}

fn plain_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        // Without `$`, so that nothing is EJSON of another type.
        "[^$]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let member = ("[^$]{0,9}", inner.clone());
        prop_oneof![vec(inner, 0..5).prop_map(Value::from), vec(member, 0..4).prop_map(|all| all.into_iter().collect())]
    })
}

proptest! {
    #[test]
    fn a_call_is_read_as_by_a_general_reader(
        id in ".{0,20}",
        method in ".{0,20}",
        params in proptest::option::of(vec(plain_value(), 0..6)),
        others in vec(("[a-z$\"\\\\é]{0,12}", plain_value()), 0..4),
        order in any::<[u8; 8]>(),
        is_pretty in any::<bool>(),
    ) {
        let mut members: Vec<(String, Value)> = others;
        members.retain(|(name, _)| !["msg", "id", "method", "params", "cleared", "fields", "result"].contains(&&**name));
        members.retain(|(name, _)| name != "randomSeed");
        members.push(("msg".into(), json!("method")));
        members.push(("id".into(), json!(id)));
        members.push(("method".into(), json!(method)));
        members.extend(params.clone().map(|params| ("params".into(), Value::from(params))));
        let mut places = (0..members.len()).collect::<Vec<_>>();
        places.sort_by_key(|place| order[place % 8]);
        let write = if is_pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let (colon, comma) = if is_pretty { (" :\t", " ,\r\n") } else { (":", ",") };
        let written = places.into_iter().map(|place| {
            let (name, value) = &members[place];
            format!("{}{colon}{}", json!(name), write(value).unwrap())
        });
        let text = format!("{{{}}}", written.collect::<Vec<_>>().join(comma));
        prop_assert_eq!(read(&text), Ok((id, method, params)));
    }
}
