use crate::client::answer_to;

#[test]
fn an_answer_is_found_by_its_id() {
    let result = br#"{"msg":"result","id":"7","result":{"a":1}}"#;
    assert_eq!(answer_to("7", result).unwrap().unwrap().unwrap(), r#"{"a":1}"#);
    assert!(answer_to("8", result).unwrap().is_none());
    assert!(answer_to("7", br#"{"msg":"updated","methods":["7"]}"#).unwrap().is_none());
}

#[test]
fn an_error_is_the_outcome_of_its_call() {
    let error = br#"{"msg":"result","id":"7","error":{"error":403}}"#;
    assert_eq!(answer_to("7", error).unwrap().unwrap().unwrap_err().to_string(), r#"{"error":403}"#);
}
