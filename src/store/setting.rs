//! The values of settings that differ from their defaults.

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;

/// The changed settings of a store. Values are JSON.
pub trait StoredSettings: Private {
    /// Returns the ids and values of all changed settings.
    fn settings(&self) -> StoreFuture<'_, Vec<(String, String)>>;

    /// Stores the value of a setting.
    fn put_setting<'store>(&'store self, id: &'store str, json: &'store str, at: Timestamp) -> StoreFuture<'store, ()>;

    /// Deletes the value of a setting, which has its default then.
    fn delete_setting<'store>(&'store self, id: &'store str) -> StoreFuture<'store, ()>;
}
