//! [`SlowCalls`]: the latest calls that took long, for admins. A call that does not costs a comparison.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Invocation, Method};
use crate::clock::Timestamp;
use crate::user::UserId;

/// The maximum number of calls that are kept.
const KEPT: usize = 50;

/// The default duration from which a call is slow.
pub(crate) const SLOW_CALL: Duration = Duration::from_secs(1);

/// The latest calls that took long.
pub(crate) struct SlowCalls {
    /// The duration from which a call is kept.
    from: Duration,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    /// The number of calls that were kept until now.
    count: u64,
    calls: VecDeque<SlowCall>,
}

/// A call that took long. Its parameters are not kept, since they may be secret.
#[derive(Clone)]
pub(crate) struct SlowCall {
    /// The number of the call among the slow ones.
    pub(crate) number: u64,
    pub(crate) method: Arc<Method>,
    /// Who was signed in at the end of the call.
    pub(crate) user: Option<UserId>,
    pub(crate) began: Timestamp,
    pub(crate) took: Duration,
}

impl SlowCalls {
    pub(crate) fn new(from: Duration) -> Self {
        Self { from, latest: Mutex::default() }
    }

    /// Notes how long a call took that has ended.
    pub(super) fn note(&self, invocation: &Invocation, took: Duration) {
        if took >= self.from {
            self.keep(invocation, took);
        }
    }

    #[cold]
    fn keep(&self, invocation: &Invocation, took: Duration) {
        let ended = invocation.core.clock.now().milliseconds();
        let milliseconds = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let (method, user) = (Arc::clone(&invocation.method), invocation.user());
        let began = Timestamp::from_milliseconds(ended.saturating_sub(milliseconds));
        let mut latest = self.latest.lock();
        latest.count += 1;
        let number = latest.count;
        if latest.calls.len() >= KEPT {
            latest.calls.pop_front();
        }
        latest.calls.push_back(SlowCall { number, method, user, began, took });
    }

    /// Returns the calls, the oldest first.
    pub(crate) fn list(&self) -> Vec<SlowCall> {
        self.latest.lock().calls.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::App;
    use crate::call::{Caller, Context, TwoFactor};

    async fn called(from: Duration, times: usize) -> Vec<SlowCall> {
        let greet = async |_: Context| Ok("hello");
        let app = App::builder().slow_call(from).method("greet", TwoFactor::none(), greet).build().unwrap();
        for _ in 0..times {
            app.call::<String>(&Caller::user("ada"), "greet", &()).await.unwrap();
        }
        app.core().slow_calls.list()
    }

    #[tokio::test]
    async fn the_latest_slow_calls_are_kept_with_their_users() {
        let calls = called(Duration::ZERO, KEPT + 3).await;
        let numbers: Vec<u64> = calls.iter().map(|call| call.number).collect();
        assert_eq!(numbers, (4..=KEPT as u64 + 3).collect::<Vec<_>>());
        assert!(calls.iter().all(|call| &*call.method.name == "greet" && call.user == Some(UserId::from("ada"))));
    }

    #[tokio::test]
    async fn a_call_that_is_not_slow_is_not_kept() {
        assert!(called(Duration::MAX, 3).await.is_empty());
    }
}
