//! [`Drain`]: how far a shutdown is, and the waves in which it closes sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::Request;
use super::registry::Sessions;

/// The minimum number of sessions of a wave. As many clients can connect elsewhere at once.
const SESSIONS_A_WAVE: usize = 100;

/// The minimum time between two waves.
const BETWEEN_WAVES: Duration = Duration::from_millis(100);

/// How far a shutdown is.
#[derive(Default)]
pub(super) struct Drain {
    has_begun: AtomicBool,
    refuses_clients: AtomicBool,
}

/// How many sessions are closed at once, and the time between two waves.
#[derive(Debug, PartialEq, Eq)]
struct Waves {
    size: usize,
    pause: Duration,
}

impl Drain {
    pub(super) fn begin(&self) {
        self.has_begun.store(true, Ordering::SeqCst);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::SeqCst)
    }

    pub(super) fn refuse_clients(&self) {
        self.begin();
        self.refuses_clients.store(true, Ordering::SeqCst);
    }

    pub(super) fn refuses_clients(&self) -> bool {
        self.refuses_clients.load(Ordering::SeqCst)
    }
}

/// Asks all sessions to end, some at a time. The last ones are asked before `time` has passed.
pub(super) async fn close_in_waves(sessions: &Sessions, time: Duration) {
    // Not kept alive, since they may end meanwhile.
    let all: Vec<_> = sessions.all().iter().map(Arc::downgrade).collect();
    let Waves { size, pause } = Waves::of(all.len(), time);
    if all.len() > size {
        tracing::info!("{} sessions are closed over {time:?} (--drain-time), {size} at a time", all.len());
    }
    for (place, wave) in all.chunks(size).enumerate() {
        if place > 0 {
            sleep(pause).await;
        }
        if sessions.len() == 0 {
            return;
        }
        for session in wave.iter().filter_map(std::sync::Weak::upgrade) {
            session.request(Request::ShutDown);
        }
    }
}

impl Waves {
    fn of(sessions: usize, time: Duration) -> Self {
        let most = usize::try_from(time.as_millis() / BETWEEN_WAVES.as_millis()).unwrap_or(usize::MAX).max(1);
        let count = sessions.div_ceil(SESSIONS_A_WAVE).clamp(1, most);
        let pause = time / u32::try_from(count).unwrap_or(u32::MAX);
        Self { size: sessions.div_ceil(count).max(1), pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sessions_are_one_wave_and_many_are_spread_over_the_time() {
        let waves = |sessions, milliseconds| {
            let Waves { size, pause } = Waves::of(sessions, Duration::from_millis(milliseconds));
            (size, pause.as_millis())
        };
        assert_eq!(waves(0, 5_000).0, 1);
        assert_eq!(waves(100, 5_000).0, 100);
        assert_eq!(waves(101, 5_000), (51, 2_500));
        assert_eq!(waves(2_000, 5_000), (100, 250));
        assert_eq!(waves(100_000, 5_000), (2_000, 100), "not more than one wave in 100 ms");
        assert_eq!(waves(100_000, 0), (100_000, 0));
        assert_eq!(waves(100_000, 99).0, 100_000);
    }
}
