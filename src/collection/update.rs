//! [`Update`]: a change of a document.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

/// A change of a document: the top-level fields to set and to remove.
///
/// ```
/// use bolide::prelude::*;
///
/// let update = Update::new().set("done", true).unset("owner");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    pub(crate) set: Object,
    pub(crate) unset: Vec<String>,
}

impl Update {
    /// Creates an update that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a top-level field. `_id` is ignored.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Ejson>) -> Self {
        self.set.insert(field.to_owned(), value.into());
        self
    }

    /// Removes a top-level field.
    #[must_use]
    pub fn unset(mut self, field: &str) -> Self {
        self.unset.push(field.to_owned());
        self
    }
}
