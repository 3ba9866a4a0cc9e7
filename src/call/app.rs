//! [`App`]: the handle of an app that runs. The builder, the listener and the doors add their own functions to it, each in
//! its own room; here is what a call needs.

use std::fmt;
use std::sync::Arc;

use bolide_protocol::ejson::{self, CustomTypes, Date};
use bolide_protocol::{DdpError, RawJson, random};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::slots::Slots;
use super::{
    Cached, Caller, Counted, Current, Gate, Invocation, Method, MethodRegistry, MethodSummary, Parameters, RateLimiter,
};
use crate::chance::{Chance, Generator};
use crate::clock::Clock;
use crate::figures::{Figures, Limit};
use crate::limits::Limits;
use crate::node::NodeId;

/// An application: its methods, and all that they need to run. Cheap to clone.
#[derive(Clone)]
pub struct App {
    core: Arc<AppCore>,
}

/// The registry of methods as it was read last, for many calls in a row.
#[derive(Default)]
pub(crate) struct CachedMethods {
    registry: Option<Cached<MethodRegistry>>,
    /// The method that was found last in this registry.
    last: Option<Arc<Method>>,
}

/// What all calls of an app share. What only one room knows is kept in a slot.
pub(crate) struct AppCore {
    pub(crate) methods: Current<MethodRegistry>,
    pub(crate) gate: Box<dyn Gate>,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) limits: Arc<Limits>,
    pub(crate) types: CustomTypes,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) node: NodeId,
    pub(crate) slots: Slots,
    pub(crate) figures: Arc<Figures>,
    #[cfg(feature = "accounts")]
    pub(crate) slow_calls: super::SlowCalls,
}

impl App {
    /// Calls a method without a transport, in the same way as a client's call: policy, gate, handler.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = App::builder()
    ///     .method("greet", TwoFactor::none(), async |_: Context, name: String| Ok(format!("Hello {name}")))
    ///     .build()?;
    /// let greeting: String = app.call(&Caller::anonymous(), "greet", &("Ada",)).await?;
    /// assert_eq!(greeting, "Hello Ada");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the error that a client would receive: 404 for an unknown method, 400 for parameters of the wrong type,
    /// the method's own errors. Also 400 if the result cannot be read as an `Output`.
    pub async fn call<Output: DeserializeOwned>(
        &self,
        caller: &Caller,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Output, DdpError> {
        let parameters = Parameters::from_values(parameters).map_err(|_| DdpError::match_failed())?;
        let result = self.call_raw(caller, method, parameters).await?.unwrap_or_else(RawJson::null);
        ejson::from_raw(&result, &self.core.types).map_err(|_| DdpError::match_failed())
    }

    /// Calls a method with parameters that are not yet typed; see [`call`](Self::call).
    ///
    /// # Errors
    /// Returns the error that a client would receive.
    pub async fn call_raw(
        &self,
        caller: &Caller,
        method: &str,
        parameters: Parameters,
    ) -> Result<Option<RawJson>, DdpError> {
        let found = self.core.method(method)?;
        Invocation::internal(&self.core, found, caller.clone()).finish(parameters).await
    }

    /// Returns the methods and the REST endpoints, each with its policy, ordered by kind and name.
    #[must_use]
    pub fn methods(&self) -> Vec<MethodSummary> {
        self.core.methods.read().summaries()
    }

    /// Returns the time that the app's clock shows.
    #[must_use]
    pub fn now(&self) -> Date {
        self.core.clock.now().to_date()
    }

    /// Returns the id of this node, four characters that are drawn when the app is built. The ids of its sessions begin
    /// with it.
    #[must_use]
    pub fn node_id(&self) -> &str {
        self.core.node.as_str()
    }

    pub(crate) const fn of(core: Arc<AppCore>) -> Self {
        Self { core }
    }

    pub(crate) const fn core(&self) -> &Arc<AppCore> {
        &self.core
    }
}

impl AppCore {
    /// Returns the method of this name.
    ///
    /// # Errors
    /// Returns 404 if the method is unknown.
    pub(crate) fn method(&self, name: &str) -> Result<Arc<Method>, DdpError> {
        self.or_not_found(self.methods.read().find(name), name)
    }

    /// Returns the method like [`method`](Self::method), for many calls in a row. What was found before counts until the
    /// registry changes.
    ///
    /// # Errors
    /// Returns 404 if the method is unknown.
    pub(crate) fn method_cached<'cached>(
        &self,
        cached: &'cached mut CachedMethods,
        name: &str,
    ) -> Result<&'cached Arc<Method>, DdpError> {
        let CachedMethods { registry, last } = cached;
        let is_current = self.methods.is_current(registry.as_ref());
        let method = match last.take() {
            Some(last) if is_current && *last.name == *name => last,
            _ => self.or_not_found(self.methods.read_cached(registry).find(name), name)?,
        };
        Ok(last.insert(method))
    }

    fn or_not_found(&self, found: Option<&Arc<Method>>, name: &str) -> Result<Arc<Method>, DdpError> {
        found.cloned().ok_or_else(|| {
            self.figures.unknown_methods.one();
            DdpError::method_not_found(name)
        })
    }

    /// Counts a call or a subscription against the rate limits.
    ///
    /// # Errors
    /// Returns `too-many-requests` if one of them is exceeded.
    pub(crate) fn count_limited(&self, counted: &Counted<'_>) -> Result<(), DdpError> {
        let outcome = self.rate_limiter.count(counted, self.clock.now());
        outcome.inspect_err(|_| self.figures.refusals.count(Limit::CallRate))
    }

    pub(crate) fn random_id(&self) -> String {
        random::id(&mut Generator(&*self.chance))
    }

    /// Returns what another room, or the application, keeps with the app.
    pub(crate) fn slot<T: Send + Sync + 'static>(&self) -> Option<&Arc<T>> {
        self.slots.get()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("App").finish_non_exhaustive()
    }
}
