//! The canary: a sealed text by which a node recognizes whether it has the keys of the database.

use super::StoreFuture;
use super::private::Private;
use super::user::Sealed;

/// The canary of a store.
pub trait Canary: Private {
    /// Returns the canary. `None` in a database that no keys were used with.
    fn canary(&self) -> StoreFuture<'_, Option<Sealed>>;

    /// Stores the canary unless there is one. Of two nodes that start at once, one returns `true`.
    fn put_canary(&self, sealed: Sealed) -> StoreFuture<'_, bool>;

    /// Replaces the canary by the same text under another key. Returns `false` if it has changed in the meantime.
    fn reseal_canary<'store>(&'store self, from: &'store Sealed, to: Sealed) -> StoreFuture<'store, bool>;
}
