//! How long tests wait, and for what.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long something that has to come may take.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// How long a test waits for what must not come.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(200);

/// Waits until something is so. For what can be awaited there are better ways.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let check = async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, check).await.expect("it becomes so");
}

/// Waits for something that has to come soon.
pub(crate) async fn soon<Output>(event: impl Future<Output = Output>) -> Output {
    timeout(SOON, event).await.expect("it comes soon")
}
