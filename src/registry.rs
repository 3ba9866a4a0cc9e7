//! [`Registry`]: what an app is made of: methods, publications and streams by name. The application registers its own
//! first; then each feature registers those that the application has not.

use std::sync::Arc;

use crate::call::{MethodHandler, MethodRegistry, Parameters, Policy};
use crate::error::BuildError;
use crate::publication::{PublicationHandler, PublicationRegistry, Stream, StreamCore, Subscription};

/// Methods, publications and streams. Filled while the app is built, and taken apart when it is complete.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) methods: MethodRegistry,
    pub(crate) publications: PublicationRegistry,
    pub(crate) streams: Vec<Arc<StreamCore>>,
    /// What does not fit together. The first one is why the app cannot be built.
    pub(crate) mistakes: Vec<BuildError>,
}

impl Registry {
    /// Registers a method.
    pub(crate) fn method<Signature>(
        &mut self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> &mut Self {
        let added = self.methods.add(name, policy.into_two_factor(), handler);
        self.note(added)
    }

    /// Registers a method, unless there is one of this name.
    #[cfg(feature = "accounts")]
    pub(crate) fn method_unless_there<Signature>(
        &mut self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> &mut Self {
        if self.methods.find(name).is_some() { self } else { self.method(name, policy, handler) }
    }

    /// Registers a method that users who must set up a second factor first may call, unless there is one of this name.
    /// A method of the application in its place is open to them as well.
    #[cfg(feature = "accounts")]
    pub(crate) fn open_method_unless_there<Signature>(
        &mut self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> &mut Self {
        self.method_unless_there(name, policy, handler).methods.open_to_enrolment(name);
        self
    }

    /// Registers a publication that users who must set up a second factor first may subscribe to.
    #[cfg(feature = "accounts")]
    pub(crate) fn open_publication<Signature>(
        &mut self,
        name: &str,
        handler: impl PublicationHandler<Signature>,
    ) -> &mut Self {
        self.publish(name, handler).publications.open_to_enrolment(name);
        self
    }

    /// Registers a publication.
    pub(crate) fn publish<Signature>(&mut self, name: &str, handler: impl PublicationHandler<Signature>) -> &mut Self {
        let added = self.publications.add(name, handler);
        self.note(added)
    }

    /// Registers a publication that runs for every session.
    pub(crate) fn publish_universal<Signature>(&mut self, handler: impl PublicationHandler<Signature>) -> &mut Self {
        self.publications.add_universal(handler);
        self
    }

    /// Registers a stream, as the publication `stream-<name>`.
    pub(crate) fn stream(&mut self, stream: &Stream) -> &mut Self {
        let core = Arc::clone(stream.core());
        let name = core.collection().to_owned();
        self.streams.push(Arc::clone(&core));
        self.publish(&name, async move |subscription: Subscription, parameters: Parameters| {
            core.publish(&subscription, &parameters)
        })
    }

    /// Registers a stream and returns it; or returns the one of this name that is registered already.
    #[cfg(feature = "accounts")]
    pub(crate) fn stream_unless_there(&mut self, stream: Stream) -> Stream {
        if let Some(own) = self.streams.iter().find(|own| own.name() == stream.name()) {
            return Stream::of(Arc::clone(own));
        }
        self.stream(&stream);
        stream
    }

    fn note(&mut self, added: Result<(), BuildError>) -> &mut Self {
        self.mistakes.extend(added.err());
        self
    }
}
