//! [`Publishable`]: a source of documents that a subscription can publish.

use super::Subscription;
use crate::call::MethodResult;

/// A source of documents that a subscription sends and follows, such as a [`Query`](crate::Query) of a collection. An
/// application can implement it for its own sources.
///
/// ```
/// use bolide::prelude::*;
/// use bolide::publication::Publishable;
///
/// /// The time at which the client subscribed.
/// struct Now;
///
/// impl Publishable for Now {
///     async fn publish(self, subscription: &Subscription) -> MethodResult<()> {
///         let now = subscription.app().now();
///         subscription.added("clock", "now", &serde_json::json!({ "at": now.milliseconds() })).await
///     }
/// }
///
/// let app = App::builder()
///     .publish("now", async |subscription: Subscription| subscription.publish(Now).await);
/// ```
#[diagnostic::on_unimplemented(
    message = "a subscription cannot publish `{Self}`",
    label = "not publishable",
    note = "a query of a collection can be published: `subscription.publish(items.find(filter))`"
)]
pub trait Publishable: Send {
    /// Sends the current documents, and arranges for changes to be sent until the subscription ends.
    ///
    /// # Errors
    /// Returns the error with which the subscription fails.
    fn publish(self, subscription: &Subscription) -> impl Future<Output = MethodResult<()>> + Send;
}
