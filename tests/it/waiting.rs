//! Timeouts of tests.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// The timeout for expected events.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// How long a test waits for events that must not happen.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(200);

/// Polls until a condition is true. Prefer awaiting an event where possible.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let check = async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, check).await.expect("it becomes so");
}

/// Asks until the answer is true.
pub(crate) async fn until_it(mut is_so: impl AsyncFnMut() -> bool) {
    let check = async {
        while !is_so().await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, check).await.expect("it becomes so");
}

/// Awaits a future with the timeout.
pub(crate) async fn soon<Output>(event: impl Future<Output = Output>) -> Output {
    timeout(SOON, event).await.expect("it comes soon")
}
