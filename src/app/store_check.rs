//! [`StoreCheck`]: whether the stores of an app answer. However often it is asked, a store is asked twice a second.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::store::Store;

/// How long an answer counts.
const KEPT: Duration = Duration::from_millis(500);

/// The timeout for a store.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct StoreCheck {
    stores: Vec<Arc<dyn Store>>,
    /// The last answer. Held while the stores are asked, so that they are asked once.
    last: Mutex<Option<(Instant, bool)>>,
}

impl StoreCheck {
    pub(super) fn new(stores: Vec<Arc<dyn Store>>) -> Self {
        Self { stores, last: Mutex::default() }
    }

    /// Returns whether all stores answer.
    pub(super) async fn answer(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = *last
            && at.elapsed() < KEPT
        {
            return answer;
        }
        // A small row that every store has.
        let asked = self.stores.iter().map(|store| timeout(TIMEOUT, store.canary()));
        let answer = join_all(asked).await.iter().all(|answer| matches!(answer, Ok(Ok(_))));
        *last = Some((Instant::now(), answer));
        answer
    }
}
