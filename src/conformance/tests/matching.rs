//! Which values match, by examples.

use serde_json::{Value, json};

use crate::conformance::matching::{check_expected, matches, matches_alone, text_matches};
use crate::conformance::memory::{FreshValues, Memory, check_sent};

fn mismatch(expected: &Value, actual: &Value) -> Option<String> {
    let fresh_values = FreshValues::new("test");
    let mut memory = Memory::new(&fresh_values);
    matches(expected, actual, &mut memory).err().map(|mismatch| mismatch.to_string())
}

#[track_caller]
fn assert_matches(expected: &Value, actual: &Value) {
    assert_eq!(mismatch(expected, actual), None);
}

#[track_caller]
fn assert_differs(expected: &Value, actual: &Value, reason: &str) {
    assert_eq!(mismatch(expected, actual).as_deref(), Some(reason));
}

#[test]
fn an_object_has_exactly_the_expected_keys() {
    let expected = json!({"msg": "result", "id": "1"});
    assert_matches(&expected, &json!({"id": "1", "msg": "result"}));
    assert_differs(&expected, &json!({"msg": "result"}), r#"the key "id" is missing"#);
    assert_differs(
        &expected,
        &json!({"msg": "result", "id": "1", "error": null}),
        r#"the key "error" was not expected (its value: null)"#,
    );
}

#[test]
fn more_keys_may_be_allowed() {
    let expected = json!({"msg": "result", "<more>": true});
    assert_matches(&expected, &json!({"msg": "result"}));
    assert_matches(&expected, &json!({"msg": "result", "error": null}));
    assert_differs(&expected, &json!({"id": "1"}), r#"the key "msg" is missing"#);
}

#[test]
fn a_mismatch_says_where_it_is() {
    assert_differs(
        &json!({"result": {"list": [1, {"a": "x"}]}}),
        &json!({"result": {"list": [1, {"a": "y"}]}}),
        r#"at result.list[1].a: expected "x", received "y""#,
    );
}

#[test]
fn arrays_have_the_expected_length_and_order() {
    assert_matches(&json!([1, 2]), &json!([1, 2]));
    assert_differs(&json!([1, 2]), &json!([2, 1]), "at [0]: expected 1, received 2");
    assert_differs(&json!([1]), &json!([1, 2]), "expected 1 elements, received 2: [1,2]");
    assert_differs(&json!([1]), &json!("1"), r#"expected an array, received "1""#);
}

#[test]
fn an_array_may_have_more_elements_than_some() {
    let expected = json!(["<some>", {"<more>": true, "a": 1}, "b"]);
    assert_matches(&expected, &json!(["c", "b", {"a": 1, "d": 2}]));
    assert_matches(&json!(["<some>"]), &json!([]));
    assert_differs(&expected, &json!(["c", {"a": 1}]), r#""b" is not among ["c",{"a":1}]"#);
    assert_differs(&expected, &json!({"a": 1}), r#"expected an array, received {"a":1}"#);
}

#[test]
fn a_secret_has_43_characters_that_need_no_escape() {
    assert_matches(&json!("<secret>"), &json!("YQ3P2Ljz-xTg9tnJ0jcHLkvb8SfJ3qkq2o_8tUj2hZs"));
    for wrong in [json!("short"), json!("YQ3P2Ljz+xTg9tnJ0jcHLkvb8SfJ3qkq2o/8tUj2hZs"), json!(43)] {
        assert!(mismatch(&json!("<secret>"), &wrong).is_some(), "{wrong}");
    }
}

#[test]
fn an_unordered_array_has_the_expected_elements() {
    let expected = json!(["<unordered>", "a", "b", "b"]);
    assert_matches(&expected, &json!(["b", "a", "b"]));
    assert_differs(&expected, &json!(["a", "a", "b"]), r#"at [1]: "a" is not one of the expected elements"#);
    assert_differs(&expected, &json!(["a", "b"]), r#"expected 3 elements, received 2: ["a","b"]"#);
}

#[test]
fn numbers_match_by_value() {
    assert_matches(&json!(1), &json!(1.0));
    assert_matches(&json!(1.5), &json!(1.5));
    assert_matches(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_993_u64));
    assert_differs(&json!(1), &json!("1"), r#"expected 1, received "1""#);
    assert_differs(&json!(0), &json!(false), "expected 0, received false");
    assert_differs(
        &json!(9_007_199_254_740_993_u64),
        &json!(9_007_199_254_740_992_u64),
        "expected 9007199254740993, received 9007199254740992",
    );
}

#[test]
fn null_is_not_a_missing_key() {
    assert_matches(&json!({"result": null}), &json!({"result": null}));
    assert_differs(&json!({"result": null}), &json!({}), r#"the key "result" is missing"#);
}

#[test]
fn kinds_match_their_values() {
    let values = json!({
        "<string>": "x", "<number>": 1.5, "<boolean>": false, "<object>": {}, "<array>": [],
        "<id>": "dRsgAEsdpRvETpxNp"
    });
    for (kind, value) in values.as_object().unwrap() {
        assert_matches(&json!(kind), value);
        assert_matches(&json!("<any>"), value);
        assert_differs(&json!(kind), &Value::Null, &format!("expected {kind}, received null"));
    }
    assert_matches(&json!("<any>"), &Value::Null);
}

#[test]
fn an_id_has_17_characters_that_are_not_easily_confused() {
    for wrong in ["", "dRsgAEsdpRvETpxN", "dRsgAEsdpRvETpxNpp", "dRsgAEsdpRvETpxN0", "dRsgAEsdpRvETpx-p"] {
        assert!(mismatch(&json!("<id>"), &json!(wrong)).is_some(), "{wrong}");
    }
}

#[test]
fn a_value_is_remembered_under_its_name() {
    let fresh_values = FreshValues::new("test");
    let mut memory = Memory::new(&fresh_values);
    let mut meets = |expected: Value, actual: Value| matches(&expected, &actual, &mut memory).is_ok();
    assert!(!meets(json!("<session>"), json!("x")), "there is no remembered value yet");
    assert!(meets(json!({"session": "<string:session>"}), json!({"session": "x"})));
    assert!(meets(json!("<session>"), json!("x")));
    assert!(!meets(json!("<session>"), json!("y")));
    assert!(meets(json!("<not:session>"), json!("y")));
    assert!(!meets(json!("<not:session>"), json!("x")));
    assert_eq!(memory.fill(&json!(["<session>"])).unwrap(), json!(["x"]));
}

#[test]
fn values_that_did_not_match_are_not_remembered() {
    let fresh_values = FreshValues::new("test");
    let mut memory = Memory::new(&fresh_values);
    let expected = json!({"a": "<any:value>", "b": 1});
    assert!(!matches_alone(&expected, &json!({"a": "wrong", "b": 2}), &mut memory));
    assert!(memory.remembered("value").is_err());
    assert!(matches_alone(&expected, &json!({"a": "right", "b": 1}), &mut memory));
    assert_eq!(memory.remembered("value").unwrap(), "right");
}

#[test]
fn a_fresh_value_is_the_same_within_a_case_and_different_in_the_next() {
    let fresh_values = FreshValues::new("test");
    let mut first = Memory::new(&fresh_values);
    let mut second = Memory::new(&fresh_values);
    let group = first.fill(&json!("<fresh:group>")).unwrap();
    assert!(matches(&json!("<fresh:group>"), &group, &mut first).is_ok());
    assert_ne!(first.fill(&json!("<fresh:other>")).unwrap(), group);
    assert_ne!(second.fill(&json!("<fresh:group>")).unwrap(), group);
}

#[test]
fn strings_have_other_forms() {
    assert_matches(&json!("<repeat:ab:3>"), &json!("ababab"));
    assert_matches(&json!("<literal:<any>>"), &json!("<any>"));
    assert_differs(&json!("<literal:<any>>"), &json!("x"), r#"expected "<any>", received "x""#);
    assert_matches(&json!("<"), &json!("<"));
    assert_matches(&json!("a<any>"), &json!("a<any>"));
}

#[test]
fn an_error_is_written_out() {
    assert_matches(
        &json!({"<error>": [404, "Method 'x' not found"]}),
        &json!({
            "isClientSafe": true, "error": 404, "reason": "Method 'x' not found",
            "message": "Method 'x' not found [404]", "errorType": "Meteor.Error"
        }),
    );
    assert_matches(
        &json!({"<error>": ["bare"]}),
        &json!({
            "isClientSafe": true, "error": "bare", "message": "[bare]", "errorType": "Meteor.Error"
        }),
    );
    assert_matches(
        &json!({"<error>": ["e", null, {"a": "<any>"}]}),
        &json!({
            "isClientSafe": true, "error": "e", "details": {"a": 1}, "message": "[e]",
            "errorType": "Meteor.Error"
        }),
    );
}

#[test]
fn a_text_matches_exactly_except_for_ids() {
    let expected = r#"{"msg":"connected","session":"<id>"}"#;
    assert!(text_matches(expected, r#"{"msg":"connected","session":"dRsgAEsdpRvETpxNp"}"#));
    assert!(!text_matches(expected, r#"{"session":"dRsgAEsdpRvETpxNp","msg":"connected"}"#));
    assert!(!text_matches(expected, r#"{"msg":"connected","session":"é0"}"#));
    assert!(text_matches("{}", "{}"));
    assert!(!text_matches("{}", "{} "));
}

#[test]
fn mistakes_are_found_before_a_case_runs() {
    for mistake in ["<sesion id>", "<repeat:x>", "<id:>", "<more>!>", "<>"] {
        assert!(check_expected(&json!([{"a": mistake}])).is_err(), "{mistake}");
        assert!(check_sent(&json!([{"a": mistake}])).is_err(), "{mistake}");
    }
    assert!(check_expected(&json!({"<error>": [1], "more": 2})).is_err());
    assert!(check_expected(&json!({"<error>": []})).is_err());
    assert!(check_expected(&json!({"<more>": false})).is_err());
    assert!(check_sent(&json!({"a": "<id>"})).is_err(), "an id can only be expected");
    assert!(check_sent(&json!({"a": "<not:session>"})).is_err());
}

#[test]
fn a_key_may_have_to_be_absent() {
    let expected = json!({"<more>": true, "secret": "<absent>"});
    assert_matches(&expected, &json!({"name": "x"}));
    assert!(mismatch(&expected, &json!({"secret": null})).is_some());
    assert!(mismatch(&json!("<absent>"), &json!(null)).is_some());
}

#[test]
fn a_text_may_have_a_beginning_and_a_rest() {
    let expected = json!({"<begins>": ["a", {"<json>": [1, "<any>"]}]});
    assert_matches(&expected, &json!("a[1,2]\n"));
    for other in [json!("[1,2]"), json!("a[2,2]"), json!("a"), json!(1)] {
        assert!(mismatch(&expected, &other).is_some(), "{other}");
    }
    assert!(check_expected(&json!({"<begins>": ["a"]})).is_err());
}

#[test]
fn a_number_may_be_about_another() {
    let expected = json!({"<near>": [100, 50, 5]});
    for right in [json!(145), json!(150.5), json!(155)] {
        assert_matches(&expected, &right);
    }
    for wrong in [json!(144), json!(156), json!("150"), json!(null)] {
        assert!(mismatch(&expected, &wrong).is_some(), "{wrong}");
    }
    assert!(check_expected(&json!({"<near>": [1, 2]})).is_err());
}
