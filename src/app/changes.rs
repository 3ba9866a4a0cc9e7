//! What can be added to an app while it runs, and removed from it: methods, publications and rate limits.
//!
//! Calls and subscriptions that run already are not affected by a removal. A handler that captures the [`App`] would keep it
//! alive for ever; [`Context::app`](crate::Context::app) and [`Subscription::app`](crate::Subscription::app) return it.

use crate::call::{App, MethodHandler, Policy, RateLimitId, RateLimitRule};
use crate::error::BuildError;
use crate::publication::{PublicationHandler, UniversalId};
use crate::session::Request;

impl App {
    /// Adds a method with its two-factor policy while the app runs, as
    /// [`AppBuilder::method`](crate::AppBuilder::method) does before. Clients can call it at once, and
    /// [`methods`](Self::methods) lists it.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = App::builder().build()?;
    /// app.add_method("greet", TwoFactor::none(), async |_: Context, name: String| Ok(format!("Hello {name}")))?;
    /// let greeting: String = app.call(&Caller::anonymous(), "greet", &("Ada",)).await?;
    /// assert_eq!(greeting, "Hello Ada");
    ///
    /// assert!(app.remove_method("greet"));
    /// assert!(app.call::<String>(&Caller::anonymous(), "greet", &("Ada",)).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`BuildError::DuplicateMethod`] if there is a method of this name, and
    /// [`BuildError::AnonymousGatedMethod`] if the policy does not suit the handler.
    pub fn add_method<Signature>(
        &self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Result<(), BuildError> {
        let policy = policy.into_two_factor();
        self.core().methods.change(|methods| methods.add(name, policy, handler))
    }

    /// Removes a method: also one that the builder or a feature has registered. Later calls fail with 404; running ones go
    /// on to their end. Returns `false` if there is no method of this name.
    #[expect(clippy::must_use_candidate, reason = "whether it was there is often not of interest")]
    pub fn remove_method(&self, name: &str) -> bool {
        self.core().methods.change(|methods| methods.remove(name))
    }

    /// Adds a publication while the app runs, as [`AppBuilder::publish`](crate::AppBuilder::publish) does before.
    ///
    /// # Errors
    /// Returns [`BuildError::DuplicatePublication`] if there is a publication of this name.
    pub fn add_publication<Signature>(
        &self,
        name: &str,
        handler: impl PublicationHandler<Signature>,
    ) -> Result<(), BuildError> {
        let Some(host) = self.host() else { return Ok(()) };
        host.publications.change(|publications| publications.add(name, handler))
    }

    /// Removes a publication. New subscriptions fail with 404. Those that run go on until the client or the publication
    /// ends them, or the user of the connection changes: handlers then run again, and a subscription whose publication is
    /// gone ends with 404. If another publication has taken the name, that one runs. Returns `false` if there is no
    /// publication of this name.
    #[expect(clippy::must_use_candidate, reason = "whether it was there is often not of interest")]
    pub fn remove_publication(&self, name: &str) -> bool {
        self.host().is_some_and(|host| host.publications.change(|publications| publications.remove(name)))
    }

    /// Adds a universal publication while the app runs, as
    /// [`AppBuilder::publish_universal`](crate::AppBuilder::publish_universal) does before. It starts in the sessions that
    /// are open, and in those that open later.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// let app = App::builder().build()?;
    /// let notices = app.add_universal_publication(async |subscription: Subscription| {
    ///     subscription.added("notices", "1", &serde_json::json!({ "text": "Maintenance at noon" })).await
    /// });
    /// assert!(app.remove_universal_publication(notices));
    /// # Ok::<(), bolide::Error>(())
    /// ```
    pub fn add_universal_publication<Signature>(&self, handler: impl PublicationHandler<Signature>) -> UniversalId {
        let Some(host) = self.host() else { return UniversalId::default() };
        let id = host.publications.change(|publications| publications.add_universal(handler));
        // Added before: a session that opens meanwhile finds it, or is among these.
        host.sessions.request(|| Request::StartUniversal);
        id
    }

    /// Removes a universal publication. It does not start in other sessions, and not again for another user. Where it runs
    /// it goes on until then; to end it, keep its [`Subscription`](crate::Subscription)s and
    /// [stop](crate::Subscription::stop) them. Returns `false` if it was removed before.
    #[expect(clippy::must_use_candidate, reason = "whether it was there is often not of interest")]
    pub fn remove_universal_publication(&self, id: UniversalId) -> bool {
        self.host().is_some_and(|host| host.publications.change(|publications| publications.remove_universal(id)))
    }

    /// Adds a rate limit while the app runs, as [`AppBuilder::rate_limit`](crate::AppBuilder::rate_limit) does before. It
    /// counts from the next call on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bolide::App;
    /// use bolide::call::RateLimitRule;
    ///
    /// let app = App::builder().build()?;
    /// let strict = app.add_rate_limit(RateLimitRule::new(1, Duration::from_secs(10)).methods(["search"]).per_connection());
    /// assert!(app.remove_rate_limit(strict));
    /// assert!(!app.remove_rate_limit(strict));
    /// # Ok::<(), bolide::Error>(())
    /// ```
    #[expect(clippy::must_use_candidate, reason = "most are never removed")]
    pub fn add_rate_limit(&self, rule: RateLimitRule) -> RateLimitId {
        self.core().rate_limiter.add(rule)
    }

    /// Removes a rate limit with its counters. Returns `false` if it was removed before.
    #[expect(clippy::must_use_candidate, reason = "whether it was there is often not of interest")]
    pub fn remove_rate_limit(&self, id: RateLimitId) -> bool {
        self.core().rate_limiter.remove(id)
    }
}
