//! [`follow`]: a publication that reads its documents again after changes or at an interval, and sends the difference.
//! For documents that are not in a [`Collection`](crate::Collection).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson};
use futures::future::BoxFuture;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Subscription;
use crate::call::MethodResult;

/// The delay between a change and reading, in which further changes are collected.
const GATHERING: Duration = Duration::from_millis(100);

/// A document as it is sent.
pub(crate) struct Document {
    collection: &'static str,
    id: String,
    fields: Object,
}

/// When documents are read again.
pub(crate) enum When {
    /// When one of these receivers reports a change.
    Changed(Vec<watch::Receiver<()>>),
    /// At this interval.
    Every(Duration),
}

/// Reads all current documents.
pub(crate) type Read = Arc<dyn Fn() -> BoxFuture<'static, MethodResult<Vec<Document>>> + Send + Sync>;

/// Sends the documents that `read` returns, and their changes until the subscription ends or `read` fails.
pub(crate) async fn follow(subscription: Subscription, mut when: When, read: Read) -> MethodResult<()> {
    let mut shown = Shown::default();
    shown.show(&subscription, read().await?).await?;
    subscription.ready();
    let ended = CancellationToken::new();
    let end = ended.clone();
    subscription.on_stop(move || end.cancel());
    tokio::spawn(async move {
        while ended.run_until_cancelled(when.comes()).await.is_some() {
            let outcome = match read().await {
                Ok(documents) => shown.show(&subscription, documents).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                return subscription.fail(error);
            }
        }
    });
    Ok(())
}

/// The documents that a subscription has sent.
#[derive(Default)]
pub(crate) struct Shown {
    documents: HashMap<(&'static str, String), Object>,
}

impl Document {
    /// Creates a document from a struct.
    ///
    /// # Errors
    /// Returns an internal error if `fields` is not a struct or a map.
    pub(crate) fn new(
        collection: &'static str,
        id: impl Into<String>,
        fields: &impl Serialize,
    ) -> Result<Self, DdpError> {
        match Ejson::from_typed(fields) {
            Ok(Ejson::Object(fields)) => Ok(Self::of_object(collection, id, fields)),
            _ => Err(DdpError::internal()),
        }
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn fields(&self) -> &Object {
        &self.fields
    }

    /// Sets a field.
    #[cfg(feature = "accounts")]
    pub(crate) fn with(mut self, field: &str, value: Ejson) -> Self {
        self.fields.insert(field.into(), value);
        self
    }

    pub(crate) fn of_object(collection: &'static str, id: impl Into<String>, fields: Object) -> Self {
        Self { collection, id: id.into(), fields }
    }
}

impl When {
    async fn comes(&mut self) {
        match self {
            Self::Every(interval) => tokio::time::sleep(*interval).await,
            Self::Changed(receivers) => {
                let changes = receivers.iter_mut().map(|receiver| Box::pin(receiver.changed()));
                let (outcome, ..) = futures::future::select_all(changes).await;
                if outcome.is_err() {
                    // The store is closed, so the subscription will end.
                    return std::future::pending().await;
                }
                tokio::time::sleep(GATHERING).await;
                for receiver in receivers {
                    receiver.mark_unchanged();
                }
            }
        }
    }
}

impl Shown {
    /// Sends the difference between the documents sent before and `now`.
    pub(crate) async fn show(&mut self, subscription: &Subscription, now: Vec<Document>) -> MethodResult<()> {
        let mut before = std::mem::take(&mut self.documents);
        for Document { collection, id, fields } in now {
            match before.remove(&(collection, id.clone())) {
                None => subscription.added(collection, id.as_str(), &fields).await?,
                Some(old) => send_difference(subscription, collection, &id, &old, &fields).await?,
            }
            self.documents.insert((collection, id), fields);
        }
        for (collection, id) in before.into_keys() {
            subscription.removed(collection, id.as_str()).await?;
        }
        Ok(())
    }
}

/// Sends the difference between two versions of a document.
async fn send_difference(
    subscription: &Subscription,
    collection: &str,
    id: &str,
    old: &Object,
    new: &Object,
) -> MethodResult<()> {
    let is_new = |(name, value): &(&String, &Ejson)| old.get(*name) != Some(*value);
    let set: Object = new.iter().filter(is_new).map(|(name, value)| (name.clone(), value.clone())).collect();
    let unset: Vec<&str> = old.keys().map(String::as_str).filter(|name| !new.contains_key(*name)).collect();
    if set.is_empty() && unset.is_empty() {
        return Ok(());
    }
    subscription.changed(collection, id, &set, &unset).await
}
