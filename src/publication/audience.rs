//! [`Audience`]: a set of subscriptions that receive the same changes, encoded once.

use std::fmt;
use std::sync::Arc;

use bolide_protocol::DocumentId;
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde::Serialize;

use super::fields::{Fields, SharedChange};
use super::{Handle, Subscription, SubscriptionCore};
use crate::call::MethodResult;
use crate::outbox;

/// A set of subscriptions of this process that show the same documents. A change is encoded once for all of them, and
/// each session receives what is new to its client. Clones share the subscriptions.
///
/// An audience is local to its node: subscriptions on other nodes are not members, are not counted by [`len`](Self::len), and
/// receive nothing from it. To reach the clients of all nodes, emit an event of a [`Stream`](super::Stream), which the
/// [bus](crate::bus) carries, and change the audience of each node by it; or publish a live query.
///
/// ```
/// use bolide::prelude::*;
///
/// async fn feed(subscription: Subscription, audience: Audience) -> MethodResult<()> {
///     subscription.added("feed", "x", &serde_json::json!({ "p": null })).await?;
///     audience.join(&subscription);
///     Ok(())
/// }
///
/// fn broadcast(audience: &Audience, payload: &Ejson) -> MethodResult<usize> {
///     audience.changed("feed", "x", &serde_json::Map::from_iter([("p".to_owned(), 1.into())]), &[])
/// }
/// ```
#[derive(Clone, Default)]
pub struct Audience {
    members: Arc<Mutex<IndexMap<(usize, Handle), SubscriptionCore>>>,
}

impl Audience {
    /// Adds a subscription. It is removed when it ends.
    pub fn join(&self, subscription: &Subscription) {
        let core = subscription.core().clone();
        let key = key(&core);
        self.members.lock().insert(key, core);
        let members = Arc::clone(&self.members);
        subscription.on_stop(move || drop(members.lock().swap_remove(&key)));
    }

    /// Returns the number of subscriptions, including those of clients that are away: that have lost their connection, and may
    /// resume their session within [`Limits::resume_grace`](crate::Limits::resume_grace).
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.lock().len()
    }

    /// Returns the number of subscriptions whose client is connected.
    #[must_use]
    pub fn connected_len(&self) -> usize {
        self.members.lock().values().filter(|core| core.recipient().is_connected()).count()
    }

    /// Returns whether the audience has no subscriptions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.lock().is_empty()
    }

    /// Changes fields of a document that the subscriptions have sent: sets the fields of `set` and removes those in
    /// `unset`. Skips subscriptions that have not sent the document. Returns the number of subscriptions whose client is
    /// connected, as [`connected_len`](Self::connected_len) does; for clients that are away, the change waits.
    ///
    /// # Errors
    /// Returns an internal error if `set` is neither a struct nor a map.
    pub fn changed(
        &self,
        collection: &str,
        id: impl Into<DocumentId>,
        set: &(impl Serialize + ?Sized),
        unset: &[&str],
    ) -> MethodResult<usize> {
        let set = Fields::encode(set)?.by_name().clone();
        let change = SharedChange::new(set, unset.iter().map(|name| Box::from(*name)));
        let id = id.into().to_wire().into_owned();
        let members = self.members.lock();
        let mut connected = 0;
        for (place, core) in members.values().enumerate() {
            let told = outbox::in_turn(place, || {
                core.with_target(collection, |views, target| views.changed(target, &[core.handle()], &id, &change))
            });
            connected += usize::from(core.recipient().is_connected());
            if told.is_err() {
                tracing::debug!(collection, id, "a member of an audience has not sent the document");
            }
        }
        Ok(connected)
    }
}

fn key(core: &SubscriptionCore) -> (usize, Handle) {
    (Arc::as_ptr(core.recipient()).addr(), core.handle())
}

impl fmt::Debug for Audience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Audience").field("len", &self.len()).finish()
    }
}
