//! What must hold for any document id. The fuzzer runs it, and a test runs it over the corpus.

use bolide_protocol::DocumentId;

/// Any string comes back from the wire, and so does whatever the wire brought.
pub(super) fn document_id(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let id = DocumentId::from(text);
    assert_eq!(DocumentId::from_wire(&id.to_wire()), Ok(id.clone()));
    let Ok(read) = DocumentId::from_wire(text) else {
        return;
    };
    let settled = DocumentId::from_wire(&read.to_wire()).unwrap();
    assert_eq!(DocumentId::from_wire(&settled.to_wire()), Ok(settled.clone()));
}
