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
        Self { declared: Handler::DECLARED, handler }
    }

    pub(crate) fn start(&self, subscription: Subscription, parameters: Parameters) -> PublishFuture {
        (self.handler)(subscription, parameters)
    }
}
