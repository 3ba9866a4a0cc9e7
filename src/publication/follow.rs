//! [`follow`]: a publication that reads its documents again whenever something tells it to, and sends the difference. For
//! what does not live in a [`Collection`](crate::Collection).

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

/// After a change, further ones are waited for so long, and read together.
const GATHERING: Duration = Duration::from_millis(100);

/// A document as it is sent.
pub(crate) struct Document {
    collection: &'static str,
    id: String,
    fields: Object,
}

/// When documents are read again.
pub(crate) enum When {
    /// When any of these tells of a change.
    Changed(Vec<watch::Receiver<()>>),
    /// As often as this.
    Every(Duration),
}

/// Reads all documents that there are now.
pub(crate) type Read = Arc<dyn Fn() -> BoxFuture<'static, MethodResult<Vec<Document>>> + Send + Sync>;

/// Sends what `read` gives, and goes on until the subscription ends or reading fails.
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

/// The documents that a subscription was sent.
#[derive(Default)]
pub(crate) struct Shown {
    documents: HashMap<(&'static str, String), Object>,
}

impl Document {
    /// A document of what `fields`, a struct, says.
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
                    // The store is gone, and so will be the subscription.
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
    /// Sends what is different from what was sent before.
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

/// Sends how a document is other than it was.
pub(crate) async fn send_difference(
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
