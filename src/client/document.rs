//! [`Document`]: a document that the server has published to this client.

use std::collections::BTreeMap;
use std::sync::Arc;

use bolide_protocol::ejson::{self, CustomTypes, DecodeError};
use bolide_protocol::{DocumentId, RawJson};
use serde::de::DeserializeOwned;

/// The fields of a document by name, each as EJSON text.
pub type Fields = BTreeMap<String, RawJson>;

/// A document of the server, with the fields that are published to this client. It is cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    id: DocumentId,
    fields: Arc<Fields>,
}

impl Document {
    pub(super) fn new(id: DocumentId, fields: Fields) -> Self {
        Self { id, fields: Arc::new(fields) }
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> &DocumentId {
        &self.id
    }

    /// Returns all fields, each as EJSON text. The id is not one of them.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Reads a field as `T`. Returns `None` if the document does not have it.
    ///
    /// # Errors
    /// Returns an error if the value is not a `T`.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        self.fields.get(name).map(|value| ejson::from_raw(value, &CustomTypes::default())).transpose()
    }

    /// Reads the document as one value of type `T`. Its member `_id` is the id as DDP writes it.
    ///
    /// # Errors
    /// Returns an error if the fields are not those of a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        ejson::from_str(&self.to_json(), &CustomTypes::default())
    }

    /// Returns the document as one EJSON object, `_id` first.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        write_member(&mut json, "_id", &text_as_json(&self.id.to_wire()));
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != "_id") {
            write_member(&mut json, name, value.get());
        }
        json.push('}');
        json
    }

    /// Sets and clears fields.
    pub(super) fn change(&mut self, fields: &Fields, cleared: &[String]) {
        let own = Arc::make_mut(&mut self.fields);
        for name in cleared {
            own.remove(name);
        }
        own.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

fn write_member(json: &mut String, name: &str, value: &str) {
    if json.len() > 1 {
        json.push(',');
    }
    json.push_str(&text_as_json(name));
    json.push(':');
    json.push_str(value);
}

fn text_as_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Document, Fields};
    use bolide_protocol::RawJson;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        _id: String,
        name: String,
        price: f64,
    }

    fn document(fields: &str) -> Document {
        let fields: Fields = serde_json::from_str(fields).unwrap();
        Document::new("x".into(), fields)
    }

    #[test]
    fn a_document_is_read_as_one_value_with_its_id() {
        let item: Item = document(r#"{"name":"tea","price":{"$InfNaN":1}}"#).read().unwrap();
        assert_eq!(item, Item { _id: "x".to_owned(), name: "tea".to_owned(), price: f64::INFINITY });
    }

    #[test]
    fn a_missing_field_is_none_and_one_of_another_type_an_error() {
        let document = document(r#"{"name":"tea"}"#);
        assert_eq!(document.field::<String>("name").unwrap(), Some("tea".to_owned()));
        assert_eq!(document.field::<String>("price").unwrap(), None);
        assert!(document.field::<f64>("name").is_err());
    }

    #[test]
    fn a_change_sets_and_clears_fields() {
        let mut document = document(r#"{"a":1,"b":2}"#);
        let fields = Fields::from([("c".to_owned(), RawJson::parse("3").unwrap())]);
        document.change(&fields, &["a".to_owned()]);
        assert_eq!(document.to_json(), r#"{"_id":"x","b":2,"c":3}"#);
    }
}
