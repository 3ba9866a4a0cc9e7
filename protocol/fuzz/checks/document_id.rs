//! The properties of every document id. The fuzzer checks them, and a test checks them for the corpus.

use bolide_protocol::DocumentId;

/// Every string survives the round trip to the wire and back, and every id read from the wire does too.
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
