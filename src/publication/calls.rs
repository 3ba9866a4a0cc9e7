//! The calls that a publication makes: [`Subscription::call`].

use bolide_protocol::{RawJson, ejson};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Subscriber, Subscription};
use crate::call::{Invocation, MethodError, MethodResult, Parameters, RunningMethod};

impl Subscription {
    /// Calls a method as the user and on the connection of this subscription, as [`Context::call`](crate::Context::call)
    /// does in a method. The subscription has shown no second factor: a gated method asks, and the refusal is passed on to
    /// the client if the publication returns it. Rate limits do not count the call, and the method cannot change the user.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn orders_of(me: SignedIn) -> MethodResult<Vec<String>> {
    ///     Ok(vec![format!("Ink for {}", me.user())])
    /// }
    ///
    /// async fn orders(subscription: Subscription) -> MethodResult<()> {
    ///     let orders: Vec<String> = subscription.call("orders", &()).await?;
    ///     for (number, text) in orders.iter().enumerate() {
    ///         subscription.added("orders", number.to_string(), &serde_json::json!({ "text": text })).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let app = App::builder().method("orders", TwoFactor::none(), orders_of).publish("orders", orders).build()?;
    /// # Ok::<(), bolide::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns the errors of the method, 404 if there is no method of this name, and an internal error if the subscription
    /// has ended: its user may have signed out.
    pub async fn call<Output: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &(impl Serialize + Sync),
    ) -> MethodResult<Output> {
        let parameters = Parameters::from_values(parameters)?;
        let result = self.call_raw(method, parameters).await?.unwrap_or_else(RawJson::null);
        Ok(ejson::from_raw(&result, &self.subscriber().core.types)?)
    }

    /// Calls a method with parameters that are not yet typed; see [`call`](Self::call).
    ///
    /// # Errors
    /// Returns the same errors as [`call`](Self::call).
    pub async fn call_raw(&self, method: &str, parameters: Parameters) -> MethodResult<Option<RawJson>> {
        let Subscriber { core, connection, user, .. } = self.subscriber();
        if !self.is_active() {
            return Err(MethodError::internal(format!("a subscription that has ended calls the method `{method}`")));
        }
        let call = Invocation::of_subscription(core, core.method(method)?, connection.clone(), user.clone());
        RunningMethod::start(call, parameters).await.outcome
    }
}
