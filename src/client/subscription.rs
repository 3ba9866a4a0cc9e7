//! [`Subscription`]: a publication of the server that this client follows.

use std::sync::Arc;

use tokio::sync::watch;

use super::change::Change;
use super::changes::Changes;
use super::error::CallError;
use super::shared::ClientInner;
use super::state::SubscriptionStatus;

/// A subscription, for as long as it is held: dropping it ends it. It survives reconnections.
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    client: Arc<ClientInner>,
    id: u64,
    status: watch::Receiver<SubscriptionStatus>,
    changes: Option<Changes>,
}

impl Subscription {
    pub(super) fn new(client: Arc<ClientInner>, id: u64, status: watch::Receiver<SubscriptionStatus>) -> Self {
        Self { client, id, status, changes: None }
    }

    /// Waits until the initial documents are here.
    ///
    /// # Errors
    /// [`CallError::Server`] when the server refuses or stops the subscription, [`CallError::Closed`] when it or the
    /// client is ended before it is ready.
    pub async fn ready(&self) -> Result<(), CallError> {
        match self.await_status(|status| *status != SubscriptionStatus::Pending).await {
            SubscriptionStatus::Stopped(Some(error)) => Err(CallError::Server(error)),
            SubscriptionStatus::Stopped(None) | SubscriptionStatus::Pending => Err(CallError::Closed(None)),
            SubscriptionStatus::Ready => Ok(()),
        }
    }

    /// Waits until the subscription has ended.
    ///
    /// # Errors
    /// [`CallError::Server`] when the server ended it with an error.
    pub async fn stopped(&self) -> Result<(), CallError> {
        match self.await_status(|status| matches!(status, SubscriptionStatus::Stopped(_))).await {
            SubscriptionStatus::Stopped(Some(error)) => Err(CallError::Server(error)),
            _ => Ok(()),
        }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> SubscriptionStatus {
        self.status.borrow().clone()
    }

    /// The next change of any document that the client has. DDP does not say which subscription a change belongs to: to
    /// tell several apart, read [`Client::changes_of`](super::Client::changes_of) their collections.
    ///
    /// The first calls give what there is. Gives nothing when the client is closed.
    pub async fn next(&mut self) -> Option<Change> {
        let client = &self.client;
        self.changes.get_or_insert_with(|| Changes::new(Arc::clone(client), None)).next().await
    }

    async fn await_status(&self, is_it: impl FnMut(&SubscriptionStatus) -> bool) -> SubscriptionStatus {
        match self.status.clone().wait_for(is_it).await {
            Ok(status) => status.clone(),
            // Nobody keeps it any more: the last word has been said.
            Err(_) => self.status(),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.client.state().unsubscribe(self.id);
    }
}
