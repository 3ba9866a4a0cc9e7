//! [`Frames`]: the receiver of messages about the documents of a collection, and the encoding of these messages.

use std::sync::Arc;

use bolide_protocol::ejson::EncodeError;
use bolide_protocol::{RawJson, ServerMessage};
use bytestring::ByteString;
use serde::Serialize;

use super::fields::{Difference, Fields};
use crate::outbox::Outbox;

/// Receives messages about the documents of one collection.
pub(crate) trait Frames {
    fn added(&mut self, id: &str, fields: &Arc<Fields>);

    /// Does nothing if the difference is empty.
    fn changed(&mut self, id: &str, difference: &Difference);

    fn removed(&mut self, id: &str);

    /// Receives a message that was encoded for several sessions.
    fn shared(&mut self, frame: ByteString);

    fn encode_changed(&self, id: &str, difference: &Difference) -> ByteString;
}

/// Sends messages through an outbox, or drops them during a user change.
pub(crate) struct OutboxFrames<'frames> {
    pub(crate) outbox: &'frames Arc<Outbox>,
    pub(crate) collection: &'frames str,
    /// The encoded `added` message of the document that is being added, if it exists already.
    pub(crate) added: Option<&'frames ByteString>,
    pub(crate) muted: bool,
}

impl OutboxFrames<'_> {
    fn send(&self, frame: ByteString) {
        if !self.muted {
            self.outbox.send(frame);
        }
    }
}

impl Frames for OutboxFrames<'_> {
    fn added(&mut self, id: &str, fields: &Arc<Fields>) {
        if self.muted {
            return;
        }
        match self.added {
            Some(frame) => self.send(frame.clone()),
            None => self.send(added_frame(self.collection, id, fields)),
        }
    }

    fn changed(&mut self, id: &str, difference: &Difference) {
        if !self.muted && !difference.is_empty() {
            self.send(self.encode_changed(id, difference));
        }
    }

    fn removed(&mut self, id: &str) {
        self.send(removed_frame(self.collection, id));
    }

    fn shared(&mut self, frame: ByteString) {
        self.send(frame);
    }

    fn encode_changed(&self, id: &str, difference: &Difference) -> ByteString {
        changed_frame(self.collection, id, difference)
    }
}

/// Encodes a struct or map as fields, and the `added` message with them.
pub(crate) fn encode_added(
    collection: &str,
    id: &str,
    fields: &(impl Serialize + ?Sized),
) -> Result<(Fields, ByteString), EncodeError> {
    let (frame, raw) = ServerMessage::encode_added(collection, id, fields)?;
    let fields = Fields::from_raw(raw.clone())?;
    if std::ptr::eq(fields.raw().get(), raw.get()) {
        return Ok((fields, frame));
    }
    // The document had a member `_id`, which is not a field.
    let frame = added_frame(collection, id, &fields);
    Ok((fields, frame))
}

pub(crate) fn added_frame(collection: &str, id: &str, fields: &Fields) -> ByteString {
    let fields = (!fields.is_empty()).then(|| fields.raw().clone());
    ServerMessage::Added { collection: collection.to_owned(), id: id.to_owned(), fields }.to_frame().into()
}

pub(crate) fn changed_frame(collection: &str, id: &str, difference: &Difference) -> ByteString {
    let fields = (!difference.set.is_empty()).then(|| to_object(difference));
    let message = ServerMessage::Changed {
        collection: collection.to_owned(),
        id: id.to_owned(),
        fields,
        cleared: difference.cleared.clone(),
    };
    message.to_frame().into()
}

pub(crate) fn removed_frame(collection: &str, id: &str) -> ByteString {
    ServerMessage::Removed { collection: collection.to_owned(), id: id.to_owned() }.to_frame().into()
}

fn to_object(difference: &Difference) -> RawJson {
    Fields::from_map(difference.set.clone()).raw().clone()
}
