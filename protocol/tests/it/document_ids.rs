//! Properties of document ids that the vectors do not cover.

use std::borrow::Cow;

use bolide_protocol::DocumentId;
use bolide_protocol::ejson::ObjectId;

#[test]
fn an_ordinary_id_is_not_copied() {
    let id = DocumentId::from("kQ4fNzXrPvbGhDaL2");
    assert!(matches!(id.to_wire(), Cow::Borrowed("kQ4fNzXrPvbGhDaL2")));
}

#[test]
fn an_unnecessary_mark_is_accepted() {
    assert_eq!(DocumentId::from_wire("-abc"), Ok(DocumentId::from("abc")));
}

#[test]
fn an_object_is_not_a_document_id() {
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
