//! The methods of an app by name, each with its policy. Filled while the app is built, and immutable afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CallerKind, HandlerFuture, MethodHandler, Parameters};
use crate::context::Context;
use crate::error::BuildError;
use crate::two_factor::TwoFactor;

#[derive(Default)]
pub(crate) struct MethodRegistry {
    methods: HashMap<Box<str>, Arc<Method>>,
}

/// A registered method.
pub(crate) struct Method {
    pub(crate) name: Box<str>,
    pub(crate) policy: TwoFactor,
    pub(crate) declared: Option<usize>,
    handler: Box<dyn Fn(Context, Parameters) -> HandlerFuture + Send + Sync>,
}

impl MethodRegistry {
    pub(crate) fn add<Signature>(
        &mut self,
        name: &str,
        policy: TwoFactor,
        handler: impl MethodHandler<Signature>,
    ) -> Result<(), BuildError> {
        fn caller<S, H: MethodHandler<S>>(_: &H) -> (CallerKind, Option<usize>) {
            (H::CALLER, H::DECLARED)
        }
        let (caller, declared) = caller(&handler);
        if policy.is_gated() && caller == CallerKind::Anyone {
            return Err(BuildError::AnonymousGatedMethod(name.to_owned()));
        }
        if self.methods.contains_key(name) {
            return Err(BuildError::DuplicateMethod(name.to_owned()));
        }
        let handler = Box::new(move |context, parameters| handler.call(context, parameters));
        let method = Method { name: name.into(), policy, declared, handler };
        self.methods.insert(name.into(), Arc::new(method));
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Method>> {
        self.methods.get(name)
    }

    /// All methods, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Method> {
        let mut methods: Vec<&Method> = self.methods.values().map(AsRef::as_ref).collect();
        methods.sort_by(|a, b| a.name.cmp(&b.name));
        methods.into_iter()
    }
}

impl Method {
    pub(super) fn start(&self, context: Context, parameters: Parameters) -> HandlerFuture {
        (self.handler)(context, parameters)
    }
}
