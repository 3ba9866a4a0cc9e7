//! [`PublicationRegistry`]: the named and the universal publications of an app.

use std::collections::HashMap;
use std::sync::Arc;

use super::{PublicationHandler, PublishFuture, Subscription};
use crate::call::Parameters;
use crate::error::BuildError;

#[derive(Default)]
pub(crate) struct PublicationRegistry {
    named: HashMap<Box<str>, Arc<Publication>>,
    universal: Vec<Arc<Publication>>,
}

/// A registered publication.
pub(crate) struct Publication {
    pub(crate) declared: Option<usize>,
    /// Whether users who must set up a second factor first may subscribe to it.
    pub(crate) open_to_enrolment: bool,
    handler: Box<dyn Fn(Subscription, Parameters) -> PublishFuture + Send + Sync>,
}

impl PublicationRegistry {
    pub(crate) fn add<Signature>(
        &mut self,
        name: &str,
        handler: impl PublicationHandler<Signature>,
    ) -> Result<(), BuildError> {
        if self.named.contains_key(name) {
            return Err(BuildError::DuplicatePublication(name.to_owned()));
        }
        self.named.insert(name.into(), Arc::new(Publication::new(handler)));
        Ok(())
    }

    /// Opens a publication to users who must set up a second factor first. Has no effect if there is no such publication.
    pub(crate) fn open_to_enrolment(&mut self, name: &str) {
        // Only the registry holds the publication while the app is built.
        if let Some(publication) = self.named.get_mut(name).and_then(Arc::get_mut) {
            publication.open_to_enrolment = true;
        }
    }

    pub(crate) fn add_universal<Signature>(&mut self, handler: impl PublicationHandler<Signature>) {
        self.universal.push(Arc::new(Publication::new(handler)));
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Publication>> {
        self.named.get(name)
    }

    pub(crate) fn universal(&self) -> &[Arc<Publication>] {
        &self.universal
    }
}

impl Publication {
    fn new<Signature, Handler: PublicationHandler<Signature>>(handler: Handler) -> Self {
        let handler = Box::new(move |subscription, parameters| handler.publish(subscription, parameters));
        Self { declared: Handler::DECLARED, open_to_enrolment: false, handler }
    }

    pub(crate) fn start(&self, subscription: Subscription, parameters: Parameters) -> PublishFuture {
        (self.handler)(subscription, parameters)
    }
}
