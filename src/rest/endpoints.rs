//! [`Endpoints`]: the REST endpoints of an app. The application registers its own first; then REST adds those of every app
//! with accounts.

use std::collections::HashSet;
use std::sync::Arc;

use super::route::{Endpoint, Route, Verb};
use super::{INFO, UNKNOWN, built_in};
use crate::call::{Method, MethodHandler, Policy};
use crate::error::BuildError;

/// The endpoints of an app. Filled while the app is built, and immutable afterwards.
#[derive(Default)]
pub(crate) struct Endpoints {
    endpoints: Vec<Arc<Endpoint>>,
    mistakes: Vec<BuildError>,
}

impl Endpoints {
    /// Registers an endpoint.
    pub(crate) fn add<Signature>(
        &mut self,
        verb: Verb,
        route: Route,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) {
        match Method::new(route.path(), verb.method_kind(), policy.into_two_factor(), handler) {
            Ok(mut method) => {
                method.open_to_enrolment = route.open_to_enrolment;
                self.endpoints.push(Arc::new(Endpoint::method(verb, route, Arc::new(method))));
            }
            Err(mistake) => self.mistakes.push(mistake),
        }
    }

    /// Registers an endpoint, unless there is one at this path. If the route is open to enrolment, an endpoint of the
    /// application in its place is open as well.
    pub(super) fn add_unless_there<Signature>(
        &mut self,
        verb: Verb,
        route: Route,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) {
        match self.endpoints.iter_mut().find(|other| other.is_at(verb, &route)) {
            None => self.add(verb, route, policy, handler),
            // Only the endpoints hold it while the app is built.
            Some(own) if route.open_to_enrolment => Arc::get_mut(own).into_iter().for_each(Endpoint::open_to_enrolment),
            Some(_) => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.iter()
    }

    /// Returns the methods behind the endpoints.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.endpoints.iter().filter_map(|endpoint| endpoint.as_method())
    }

    /// Makes sure that each path means one thing to the router.
    ///
    /// # Errors
    /// Returns the first mistake of a registration, [`BuildError::DuplicateEndpoint`] or [`BuildError::Endpoint`].
    pub(crate) fn check(&mut self) -> Result<(), BuildError> {
        if let Some(mistake) = self.mistakes.drain(..).next() {
            return Err(mistake);
        }
        let (mut router, mut seen) = (matchit::Router::new(), HashSet::new());
        for path in [INFO, UNKNOWN] {
            // The first ones of a router cannot conflict.
            let _added = router.insert(path, ());
        }
        let built_in = built_in();
        for endpoint in built_in.iter().chain(&self.endpoints) {
            let path = endpoint.route.path();
            if !seen.insert((endpoint.verb.method_kind(), path)) {
                return Err(BuildError::DuplicateEndpoint(path.to_owned()));
            }
            if path.split('/').any(|part| part.starts_with(':') || part.starts_with('*')) {
                let reason = "a part that changes is written in braces".to_owned();
                return Err(BuildError::Endpoint { path: path.to_owned(), reason });
            }
            let is_new = seen.iter().filter(|(_, other)| *other == path).count() == 1;
            if is_new && let Err(reason) = router.insert(path, ()) {
                return Err(BuildError::Endpoint { path: path.to_owned(), reason: reason.to_string() });
            }
        }
        Ok(())
    }
}
