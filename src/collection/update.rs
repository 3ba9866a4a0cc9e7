//! [`Update`]: what to change in a document.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

/// What to change in a document: top-level fields to set and to take away.
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
    /// Changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a top-level field a value.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Ejson>) -> Self {
        self.set.insert(field.to_owned(), value.into());
        self
    }

    /// Takes a top-level field away.
    #[must_use]
    pub fn unset(mut self, field: &str) -> Self {
        self.unset.push(field.to_owned());
        self
    }
}
