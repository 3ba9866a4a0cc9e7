//! [`PublicationRegistry`]: the named and the universal publications of an app. Filled while the app is built; a change
//! while it runs replaces the registry by a changed copy.

use std::collections::HashMap;
use std::sync::Arc;

use super::{PublicationHandler, PublishFuture, Subscription};
use crate::call::Parameters;
use crate::error::BuildError;
use crate::figures::{Count, Level};

#[derive(Clone, Default)]
pub(crate) struct PublicationRegistry {
    named: HashMap<Box<str>, Arc<Publication>>,
    /// In the order of their ids.
    universal: Vec<(UniversalId, Arc<Publication>)>,
    last_universal: UniversalId,
}

/// The id of a universal publication. A later one has a larger id, and no id is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniversalId(u64);

/// A registered publication.
pub(crate) struct Publication {
    /// The subscriptions that were started, those included that started again with another user.
    pub(crate) started: Count,
    /// The subscriptions that have not ended.
    pub(crate) active: Arc<Level>,
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

    /// Removes a named publication. Returns `false` if there is no such publication.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.named.remove(name).is_some()
    }

    pub(crate) fn add_universal<Signature>(&mut self, handler: impl PublicationHandler<Signature>) -> UniversalId {
        let id = UniversalId(self.last_universal.0 + 1);
        self.last_universal = id;
        self.universal.push((id, Arc::new(Publication::new(handler))));
        id
    }

    /// Removes a universal publication. Returns `false` if it is not there.
    pub(crate) fn remove_universal(&mut self, id: UniversalId) -> bool {
        let before = self.universal.len();
        self.universal.retain(|(own, _)| *own != id);
        self.universal.len() < before
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Publication>> {
        self.named.get(name)
    }

    /// Returns the named publications.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Arc<Publication>)> {
        self.named.iter().map(|(name, publication)| (&**name, publication))
    }

    /// Returns the universal publications.
    pub(crate) fn universal(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.universal.iter().map(|(_, publication)| publication)
    }

    pub(crate) fn find_universal(&self, id: UniversalId) -> Option<&Arc<Publication>> {
        self.universal.iter().find(|(own, _)| *own == id).map(|(_, publication)| publication)
    }

    /// Returns the universal publications that were added after the one with this id.
    pub(crate) fn universal_after(&self, id: UniversalId) -> impl Iterator<Item = UniversalId> {
        self.universal.iter().map(|(own, _)| *own).filter(move |own| *own > id)
    }
}

impl Publication {
    fn new<Signature, Handler: PublicationHandler<Signature>>(handler: Handler) -> Self {
        let handler = Box::new(move |subscription, parameters| handler.publish(subscription, parameters));
        let (started, active) = (Count::default(), Arc::default());
        Self { started, active, declared: Handler::DECLARED, open_to_enrolment: false, handler }
    }

    pub(crate) fn start(&self, subscription: Subscription, parameters: Parameters) -> PublishFuture {
        (self.handler)(subscription, parameters)
    }
}
