//! [`Changes`]: the changes of the server's documents, as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::StreamExt;

use super::change::Change;
use super::shared::ClientInner;
use super::state::Feed;

/// A stream of changes. It begins with the documents that exist, each as [`Change::Added`], and ends when the client is
/// closed. Applying the changes in order yields the documents that the client has.
#[derive(Debug)]
pub struct Changes {
    feed: Arc<Feed>,
    client: Arc<ClientInner>,
}

impl Changes {
    pub(super) fn new(client: Arc<ClientInner>, collection: Option<String>) -> Self {
        let feed = Arc::new(Feed::new(collection));
        client.state().documents.watch(&feed);
        Self { feed, client }
    }

    /// Waits for the next change. Returns `None` when the client is closed. No change is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Change> {
        StreamExt::next(self).await
    }
}

impl Stream for Changes {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        if self.feed.has_overflowed() {
            self.client.state().documents.refill(&self.feed);
        }
        self.feed.poll_next(context)
    }
}
