//! Document ids beyond the vectors.

use std::borrow::Cow;

use bolide_protocol::DocumentId;
use bolide_protocol::ejson::ObjectId;

#[test]
fn an_ordinary_id_is_not_copied() {
    let id = DocumentId::from("kQ4fNzXrPvbGhDaL2");
    assert!(matches!(id.to_wire(), Cow::Borrowed("kQ4fNzXrPvbGhDaL2")));
}

#[test]
fn a_marked_id_that_needs_no_mark_is_read_all_the_same() {
    assert_eq!(DocumentId::from_wire("-abc"), Ok(DocumentId::from("abc")));
}

#[test]
fn an_object_is_no_id() {
    for wire in ["~{}", "~[]", r#"~{"$date":1}"#, r#"~{"$InfNaN":1}"#, "~1e400"] {
        assert!(DocumentId::from_wire(wire).is_err(), "{wire}");
    }
}

#[test]
fn an_id_prints_as_on_the_wire() {
    assert_eq!(DocumentId::from("-a".to_owned()).to_string(), "--a");
    let id: ObjectId = "0123456789abcdef01234567".parse().unwrap();
    assert_eq!(DocumentId::from(id).to_string(), "0123456789abcdef01234567");
}
