//! Document ids and random streams.

use bolide_protocol::random_stream::Alea;
use bolide_protocol::{DocumentId, Ejson, RandomStream};
use serde::Deserialize;
use serde_json::Value;

use super::{read, value_of};

#[derive(Deserialize)]
struct DocumentIds {
    both: Vec<DocumentIdVector>,
    read: Vec<DocumentIdVector>,
    written: Vec<DocumentIdVector>,
    refused: Vec<String>,
}

#[derive(Deserialize)]
struct DocumentIdVector {
    id: Value,
    wire: String,
}

fn document_id_of(notation: &Value) -> DocumentId {
    if notation.get("undefined").is_some() {
        return DocumentId::Undefined;
    }
    match value_of(notation) {
        Ejson::Null => DocumentId::Null,
        Ejson::Bool(value) => DocumentId::Bool(value),
        Ejson::Number(number) => DocumentId::Number(number),
        Ejson::String(text) => DocumentId::String(text),
        Ejson::ObjectId(id) => DocumentId::ObjectId(id),
        other => panic!("not a document id: {other:?}"),
    }
}

#[test]
fn document_ids_are_written_to_the_wire() {
    let vectors: DocumentIds = read("document_ids.json");
    for vector in vectors.both.iter().chain(&vectors.written) {
        assert_eq!(document_id_of(&vector.id).to_wire(), vector.wire);
    }
}

#[test]
fn document_ids_are_read_from_the_wire() {
    let vectors: DocumentIds = read("document_ids.json");
    for vector in vectors.both.iter().chain(&vectors.read) {
        assert_eq!(DocumentId::from_wire(&vector.wire), Ok(document_id_of(&vector.id)));
    }
}

#[test]
fn invalid_document_ids_are_rejected() {
    for wire in read::<DocumentIds>("document_ids.json").refused {
        assert!(DocumentId::from_wire(&wire).is_err(), "{wire}");
    }
}

#[derive(Deserialize)]
struct RandomStreams {
    generators: Vec<Generator>,
    nested: Vec<Nested>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generator {
    seeds: Vec<String>,
    ids: Vec<String>,
    fractions: Vec<f64>,
    hex_string24: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nested {
    seed: String,
    methods: Vec<String>,
    inner_seed: String,
    stream: String,
    id: String,
}

#[test]
#[expect(clippy::float_cmp, reason = "the fractions must agree to the last bit")]
fn generators_agree_with_meteor() {
    for vector in read::<RandomStreams>("random_streams.json").generators {
        let seeds: Vec<&str> = vector.seeds.iter().map(String::as_str).collect();
        let fresh = || Alea::new(&seeds);
        let (mut ids, mut fractions) = (fresh(), fresh());
        assert!(vector.ids.iter().all(|id| *id == ids.id()), "{seeds:?}");
        assert!(vector.fractions.iter().all(|one| *one == fractions.fraction()), "{seeds:?}");
        assert_eq!(fresh().hex_string(24), vector.hex_string24);
        assert_eq!(fresh().object_id().to_string(), vector.hex_string24);
        assert_eq!(fresh().secret(), vector.secret);
    }
}

#[test]
fn nested_calls_agree_with_meteor() {
    for vector in read::<RandomStreams>("random_streams.json").nested {
        let seed = vector.methods.iter().fold(vector.seed, |seed, method| RandomStream::new(seed).rpc_seed(method));
        assert_eq!(seed, vector.inner_seed);
        assert_eq!(RandomStream::new(seed).stream(&vector.stream).id(), vector.id);
    }
}
