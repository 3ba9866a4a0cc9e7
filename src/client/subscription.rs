//! [`Subscription`]: a publication of the server that this client follows.

use std::sync::Arc;

use tokio::sync::watch;

use super::change::Change;
use super::changes::Changes;
use super::error::CallError;
use super::shared::ClientInner;
use super::state::SubscriptionStatus;

/// A subscription, which survives reconnections. Dropping it ends it.
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

    /// Waits until the client has the initial documents.
    ///
    /// # Errors
    /// Returns [`CallError::Server`] if the server rejects or stops the subscription, and [`CallError::Closed`] if the
    /// subscription or the client ends before it is ready.
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
    /// Returns [`CallError::Server`] if the server ended it with an error.
    pub async fn stopped(&self) -> Result<(), CallError> {
        match self.await_status(|status| matches!(status, SubscriptionStatus::Stopped(_))).await {
            SubscriptionStatus::Stopped(Some(error)) => Err(CallError::Server(error)),
            _ => Ok(()),
        }
    }

    /// Returns the status of the subscription.
    #[must_use]
    pub fn status(&self) -> SubscriptionStatus {
        self.status.borrow().clone()
    }

    /// Waits for the next change of any document of the client, beginning with the documents that exist. Returns `None`
    /// when the client is closed.
    ///
    /// DDP does not tell which subscription a change belongs to. To separate them, use
    /// [`Client::changes_of`](super::Client::changes_of) with their collections.
    pub async fn next(&mut self) -> Option<Change> {
        let client = &self.client;
        self.changes.get_or_insert_with(|| Changes::new(Arc::clone(client), None)).next().await
    }

    async fn await_status(&self, is_it: impl FnMut(&SubscriptionStatus) -> bool) -> SubscriptionStatus {
        match self.status.clone().wait_for(is_it).await {
            Ok(status) => status.clone(),
            // The sender is dropped, so this is the last status.
            Err(_) => self.status(),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.client.state().unsubscribe(self.id);
    }
}
