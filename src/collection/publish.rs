//! [`Publishable`] for [`Query`]: sends the result to a subscription, and then its changes.

use std::sync::Arc;

use super::core::CollectionCore;
use super::plan::Plan;
use super::query::Query;
use crate::call::{MethodError, MethodResult};
use crate::outbox::{self, effort};
use crate::publication::{Publishable, Subscription, SubscriptionCore};

impl<T> Publishable for Query<T> {
    /// # Errors
    /// Returns an internal error if the subscription already publishes a query of the same collection, or if the store
    /// cannot be read.
    async fn publish(self, subscription: &Subscription) -> MethodResult<()> {
        attach(&self.core, &Arc::new(self.plan), subscription.core()).await
    }
}

/// Sends the documents to a subscription, and then their changes.
async fn attach(core: &Arc<CollectionCore>, plan: &Arc<Plan>, subscription: &SubscriptionCore) -> MethodResult<()> {
    if !subscription.recipient().views().claim(subscription.handle(), core.name()) {
        return Err(MethodError::internal(format!(
            "a publication can publish one query of the collection `{}`, not two",
            core.name()
        )));
    }
    let (query, steps) = core.watch(plan, subscription);
    effort::spend(steps);
    let (core_at_end, query_at_end, watcher) = (Arc::clone(core), Arc::clone(&query), subscription.clone());
    subscription.on_stop(Box::new(move || core_at_end.unwatch(&query_at_end, &watcher)));
    loop {
        let (sent, held) = outbox::hold(|| query.lock().send_some(subscription));
        drop(held);
        subscription.wait_for_room(sent.documents).await;
        if sent.is_all {
            return Ok(());
        }
        query.wait_until(|result| result.can_continue(subscription)).await?;
    }
}
