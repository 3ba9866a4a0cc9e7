//! The id of the request that is being answered, which the answer tells the client: an internal error is logged with it.

use std::sync::Arc;

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// Answers a request that has this id.
#[cfg(feature = "accounts")]
pub(crate) async fn answering_as<Output>(id: Arc<str>, work: impl Future<Output = Output>) -> Output {
    CURRENT.scope(id, work).await
}

/// Returns the id of the request that is being answered. `None` outside of a request.
pub(crate) fn current_request() -> Option<Arc<str>> {
    CURRENT.try_with(Arc::clone).ok()
}
