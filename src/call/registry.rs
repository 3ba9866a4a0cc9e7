//! [`MethodRegistry`]: the methods of an app by name, each with its policy. Filled while the app is built; a change while
//! it runs replaces the registry by a changed copy.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{
    CallerKind, Context, HandlerFuture, MethodHandler, MethodKind, MethodStatistics, MethodSummary, Parameters,
    TwoFactor,
};
use crate::error::BuildError;

#[derive(Clone, Default)]
pub(crate) struct MethodRegistry {
    /// The names are the application's, so no client can choose them to collide.
    methods: HashMap<Box<str>, Arc<Method>, RandomState>,
    /// Methods behind REST endpoints, which have no name to be called by.
    endpoints: Vec<Arc<Method>>,
}

/// A registered method.
pub(crate) struct Method {
    pub(crate) name: Box<str>,
    pub(crate) kind: MethodKind,
    pub(crate) policy: TwoFactor,
    pub(crate) declared: Option<usize>,
    /// Whether users who must set up a second factor first may call it.
    pub(crate) open_to_enrolment: bool,
    pub(crate) statistics: MethodStatistics,
    #[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "REST asks it"))]
    caller: CallerKind,
    handler: Box<dyn Fn(Context, Parameters) -> HandlerFuture + Send + Sync>,
}

impl Method {
    /// Returns the name for lists: that of a method, or the verb and the path of an endpoint.
    #[cfg(feature = "accounts")]
    pub(crate) fn shown_name(&self) -> String {
        self.kind.verb().map_or_else(|| self.name.to_string(), |verb| format!("{verb} {}", self.name))
    }
}

impl MethodRegistry {
    pub(crate) fn add<Signature>(
        &mut self,
        name: &str,
        policy: TwoFactor,
        handler: impl MethodHandler<Signature>,
    ) -> Result<(), BuildError> {
        if self.methods.contains_key(name) {
            return Err(BuildError::DuplicateMethod(name.to_owned()));
        }
        self.methods.insert(name.into(), Arc::new(Method::new(name, MethodKind::Method, policy, handler)?));
        Ok(())
    }

    /// Removes a method. Returns `false` if there is no such method.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.methods.remove(name).is_some()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Method>> {
        self.methods.get(name)
    }

    /// Opens a method to users who must set up a second factor first. Has no effect if there is no such method.
    #[cfg(feature = "accounts")]
    pub(crate) fn open_to_enrolment(&mut self, name: &str) {
        // Only the registry holds the method while the app is built.
        if let Some(method) = self.methods.get_mut(name).and_then(Arc::get_mut) {
            method.open_to_enrolment = true;
        }
    }

    /// Keeps the method behind a REST endpoint for the lists.
    #[cfg(feature = "accounts")]
    pub(crate) fn add_endpoint(&mut self, method: Arc<Method>) {
        self.endpoints.push(method);
    }

    /// Returns all methods and endpoints.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.methods.values().chain(&self.endpoints)
    }

    /// Returns a summary of every method and endpoint, ordered by kind and name.
    pub(crate) fn summaries(&self) -> Vec<MethodSummary> {
        let mut summaries: Vec<_> = self.all().map(|method| MethodSummary::new(method)).collect();
        summaries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        summaries
    }
}

impl Method {
    /// # Errors
    /// Returns [`BuildError::AnonymousGatedMethod`] for a gated method that anonymous callers could call.
    pub(crate) fn new<Signature>(
        name: &str,
        kind: MethodKind,
        policy: TwoFactor,
        handler: impl MethodHandler<Signature>,
    ) -> Result<Self, BuildError> {
        fn described<S, H: MethodHandler<S>>(_: &H) -> (CallerKind, Option<usize>) {
            (H::CALLER, H::DECLARED)
        }
        let (caller, declared) = described(&handler);
        // On demand only a `SignedIn` can ask, and it has a user.
        if policy.is_gated() && caller == CallerKind::Anyone {
            return Err(BuildError::AnonymousGatedMethod(name.to_owned()));
        }
        let handler = Box::new(move |context, parameters| handler.call(context, parameters));
        let statistics = MethodStatistics::default();
        Ok(Self { name: name.into(), kind, policy, declared, open_to_enrolment: false, statistics, caller, handler })
    }

    /// Returns whether only signed-in users may call it.
    #[cfg(feature = "accounts")]
    pub(crate) fn is_for_users(&self) -> bool {
        self.caller == CallerKind::SignedIn
    }

    pub(super) fn start(&self, context: Context, parameters: Parameters) -> HandlerFuture {
        (self.handler)(context, parameters)
    }
}
