//! The documents that a [`TestClient`](super::TestClient) has been sent, kept as strictly as Meteor's own client keeps them.

use std::collections::BTreeMap;

use bolide_protocol::ejson::{self, CustomTypes, DecodeError};
use bolide_protocol::{RawJson, ServerMessage};
use serde::de::DeserializeOwned;

/// The fields of a document, as EJSON text.
type Fields = BTreeMap<String, RawJson>;

/// Documents by collection and by id.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<String, BTreeMap<String, Fields>>);

impl Documents {
    /// Returns the documents of a collection by id, without the events of streams.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        collection: &str,
        types: &CustomTypes,
    ) -> Result<BTreeMap<String, T>, DecodeError> {
        let Some(documents) = self.0.get(collection) else { return Ok(BTreeMap::new()) };
        let read = |fields: &Fields| ejson::from_raw(&ejson::to_raw(fields).map_err(unreadable)?, types);
        documents.iter().map(|(id, fields)| Ok((id.clone(), read(fields)?))).collect()
    }

    /// Returns the ids of a collection's documents.
    pub(super) fn ids(&self, collection: &str) -> Vec<String> {
        self.0.get(collection).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// Applies a message.
    ///
    /// # Errors
    /// Returns what contradicts the messages before it.
    pub(super) fn apply(&mut self, message: &ServerMessage) -> Result<(), &'static str> {
        match message {
            ServerMessage::Added { collection, id, fields } if !is_stream(collection) => {
                let fields = parse(fields.as_ref())?;
                match self.0.entry(collection.clone()).or_default().insert(id.clone(), fields) {
                    Some(_) => Err("adds a document that the client already has"),
                    None => Ok(()),
                }
            }
            ServerMessage::Changed { collection, id, fields, cleared } if !is_stream(collection) => {
                let document = self.0.get_mut(collection).and_then(|documents| documents.get_mut(id));
                change(document.ok_or("changes a document that the client does not have")?, fields.as_ref(), cleared)
            }
            ServerMessage::Removed { collection, id } if !is_stream(collection) => {
                let removed = self.0.get_mut(collection).and_then(|documents| documents.remove(id));
                removed.map(drop).ok_or("removes a document that the client does not have")
            }
            _ => Ok(()),
        }
    }
}

fn change(document: &mut Fields, fields: Option<&RawJson>, cleared: &[String]) -> Result<(), &'static str> {
    let mut has_changed = false;
    for name in cleared {
        document.remove(name).ok_or("clears a field that the document does not have")?;
        has_changed = true;
    }
    for (name, value) in parse(fields)? {
        has_changed |= document.get(&name) != Some(&value);
        document.insert(name, value);
    }
    if has_changed { Ok(()) } else { Err("changes nothing") }
}

fn parse(fields: Option<&RawJson>) -> Result<Fields, &'static str> {
    let Some(fields) = fields else { return Ok(Fields::new()) };
    serde_json::from_str(fields.get()).map_err(|_| "has fields that are not an object")
}

/// Streams send their events as changes of a document that does not exist.
fn is_stream(collection: &str) -> bool {
    collection.starts_with("stream-")
}

fn unreadable(error: ejson::EncodeError) -> DecodeError {
    serde::de::Error::custom(error)
}

#[cfg(test)]
mod tests {
    use super::Documents;
    use bolide_protocol::ServerMessage;

    fn apply(documents: &mut Documents, frame: &str) -> Result<(), &'static str> {
        documents.apply(&ServerMessage::parse(frame).unwrap())
    }

    #[test]
    fn contradictions_of_the_server_are_reported() {
        let mut documents = Documents::default();
        let added = r#"{"msg":"added","collection":"items","id":"1","fields":{"a":1}}"#;
        assert_eq!(apply(&mut documents, added), Ok(()));
        for (frame, reason) in [
            (added, "adds a document that the client already has"),
            (r#"{"msg":"changed","collection":"items","id":"1","fields":{"a":1}}"#, "changes nothing"),
            (r#"{"msg":"removed","collection":"items","id":"2"}"#, "removes a document that the client does not have"),
            (
                r#"{"msg":"changed","collection":"items","id":"1","cleared":["b"]}"#,
                "clears a field that the document does not have",
            ),
        ] {
            assert_eq!(apply(&mut documents, frame), Err(reason), "{frame}");
        }
    }
}
