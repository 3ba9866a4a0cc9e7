//! The values of settings that were changed.

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;

/// The changed settings of a store; a value is JSON.
pub trait StoredSettings: Private {
    /// All of them, by id.
    fn settings(&self) -> StoreFuture<'_, Vec<(String, String)>>;

    /// Gives a setting a value.
    fn put_setting<'store>(&'store self, id: &'store str, json: &'store str, at: Timestamp) -> StoreFuture<'store, ()>;

    /// Sets a setting back to its default.
    fn delete_setting<'store>(&'store self, id: &'store str) -> StoreFuture<'store, ()>;
}
