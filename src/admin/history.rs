//! [`History`]: what this node did in the last 15 minutes. One task reads the counters every five seconds and keeps the
//! differences, so that counting itself costs nothing more.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::accounts::AccountsCore;
use crate::bus::BusMember;
use crate::call::AppCore;
use crate::clock::Timestamp;
use crate::figures::DurationsSnapshot;
use crate::named::named;
use crate::session::Host;
use crate::store::AuditEvent;

/// The time between two samples.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// The maximum number of samples: those of 15 minutes.
const SAMPLES: usize = 180;

named! {
    /// What a sample tells: a number at its end, or what has happened since the one before.
    pub(super) enum Series {
        /// Open connections.
        Connections = "connections",
        /// Calls that have ended.
        Calls = "calls",
        /// The median of their durations in milliseconds.
        Median = "median",
        /// The 99th percentile of their durations in milliseconds.
        Percentile99 = "percentile99",
        /// Calls that were answered with an error, except for requests for a second factor.
        Errors = "errors",
        /// Calls that have failed with an internal error; they are among the errors.
        Failures = "failures",
        /// Messages to clients.
        Deliveries = "deliveries",
        /// Calls and logins that were asked for a second factor.
        Asked = "asked",
        /// Second factors that were right.
        Passed = "passed",
        /// Second factors that were wrong, or blocked.
        Wrong = "wrong",
        /// Logins.
        Logins = "logins",
        /// Logins that were refused.
        RefusedLogins = "refusedLogins",
        /// What limits have refused.
        Refusals = "refusals",
        /// The 99th percentile of the durations of statements about users in milliseconds.
        Statements = "statements",
        /// How often messages of other nodes were missing.
        Gaps = "gaps",
    }
}

/// The samples of the last 15 minutes, in a slot of the app.
#[derive(Default)]
pub(crate) struct History(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    samples: VecDeque<Sample>,
    taken_at: Option<Timestamp>,
    totals: Totals,
}

#[derive(Clone, Copy)]
struct Sample([f64; Series::ALL.len()]);

/// What was counted since the start.
#[derive(Clone, Default)]
struct Totals {
    calls: DurationsSnapshot,
    statements: DurationsSnapshot,
    counts: [u64; Series::ALL.len()],
}

/// Starts the task that takes the samples, until the app stops or the accounts are dropped.
pub(crate) fn start(core: &Arc<AccountsCore>, app: &AppCore) {
    let (Some(history), Some(host)) = (app.slot::<History>(), app.slot::<Host>()) else { return };
    history.sample(core, app);
    // An app that was built outside of a runtime was warned about.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(sample_regularly(Arc::downgrade(core), host.stopping.clone()));
    }
}

async fn sample_regularly(core: Weak<AccountsCore>, stopped: CancellationToken) {
    while stopped.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let Some(core) = core.upgrade() else { return };
        let Some(app) = core.node.app() else { return };
        if let Some(history) = app.slot::<History>() {
            history.sample(&core, &app);
        }
    }
}

impl History {
    /// Takes a sample.
    fn sample(&self, core: &AccountsCore, app: &AppCore) {
        let (totals, connections) = (Totals::read(core, app), connections(app));
        let mut kept = self.0.lock();
        let is_first = kept.taken_at.is_none();
        // What happened before the first sample is part of none.
        let before = if is_first { &totals } else { &kept.totals };
        let sample = totals.since(before, connections);
        if kept.samples.len() >= SAMPLES {
            kept.samples.pop_front();
        }
        kept.samples.push_back(sample);
        kept.taken_at = Some(app.clock.now());
        kept.totals = totals;
    }

    /// Returns the values of a series, the oldest first.
    pub(super) fn values(&self, series: Series) -> Vec<f64> {
        self.0.lock().samples.iter().map(|sample| sample.0[series as usize]).collect()
    }

    /// Returns when the last sample was taken.
    pub(super) fn taken_at(&self) -> Option<Timestamp> {
        self.0.lock().taken_at
    }
}

impl Totals {
    fn read(core: &AccountsCore, app: &AppCore) -> Self {
        let mut totals = Self::default();
        for method in app.methods.read().all() {
            let figures = method.statistics.figures();
            totals.calls.add(&figures.durations);
            for (outcome, count) in figures.outcomes {
                match outcome {
                    "rejected" | "limited" => totals.add(Series::Errors, count),
                    "failed" => {
                        totals.add(Series::Errors, count);
                        totals.add(Series::Failures, count);
                    }
                    _ => {}
                }
            }
        }
        for pool in core.store.pools() {
            totals.statements.add(&pool.statements);
        }
        for decided in app.figures.gate.list() {
            match decided.outcome {
                "asked" => totals.add(Series::Asked, decided.count),
                "passed" => totals.add(Series::Passed, decided.count),
                "failed" | "blocked" => totals.add(Series::Wrong, decided.count),
                _ => {}
            }
        }
        for (event, count) in core.audit.counts() {
            match event {
                AuditEvent::LoginSucceeded => totals.add(Series::Logins, count),
                AuditEvent::LoginFailed | AuditEvent::LoginBlocked | AuditEvent::LoginRefused => {
                    totals.add(Series::RefusedLogins, count);
                }
                _ => {}
            }
        }
        totals.add(Series::Calls, totals.calls.count());
        totals.add(Series::Deliveries, app.figures.traffic.sent.messages.get());
        totals.add(Series::Refusals, refusals(app));
        totals.add(Series::Gaps, app.slot::<BusMember>().map_or(0, |member| member.report().gaps));
        totals
    }

    fn add(&mut self, series: Series, count: u64) {
        self.counts[series as usize] += count;
    }

    fn since(&self, before: &Self, connections: u64) -> Sample {
        let (calls, statements) = (self.calls.since(&before.calls), self.statements.since(&before.statements));
        let value = |series: Series| match series {
            Series::Connections => exact(connections),
            Series::Median => milliseconds(calls.percentile(50)),
            Series::Percentile99 => milliseconds(calls.percentile(99)),
            Series::Statements => milliseconds(statements.percentile(99)),
            counted => exact(self.counts[counted as usize].saturating_sub(before.counts[counted as usize])),
        };
        Sample(std::array::from_fn(|place| value(Series::ALL[place])))
    }
}

fn connections(app: &AppCore) -> u64 {
    app.figures.connections.list().map(|(_, _, count)| count).sum()
}

fn refusals(app: &AppCore) -> u64 {
    let of_shares = app.slot::<Host>().into_iter().flat_map(|host| host.shares());
    let shares: u64 = of_shares.flat_map(|shares| shares.usage()).map(|usage| usage.refused).sum();
    shares + app.figures.refusals.list().map(|(_, count)| count).sum::<u64>()
}

/// Returns a count as a number of EJSON. What happens in five seconds is far below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2⁵³")]
const fn exact(count: u64) -> f64 {
    count as f64
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::App;
    use crate::accounts::Accounts;
    use crate::call::{Caller, Context, MethodError, TwoFactor};
    use crate::chance::SystemChance;
    use crate::keys::KeyRing;
    use crate::store::SqlStore;

    async fn app() -> App {
        let store = SqlStore::open("sqlite::memory:").await.unwrap();
        let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
        let greet = async |_: Context, name: String| {
            if name.is_empty() { Err(MethodError::new("no-name", "Say who")) } else { Ok(name) }
        };
        App::builder().accounts(accounts).method("greet", TwoFactor::none(), greet).build().unwrap()
    }

    fn sample(app: &App) -> Arc<History> {
        let core = app.core();
        let history = Arc::clone(core.slot::<History>().unwrap());
        history.sample(core.slot::<AccountsCore>().unwrap(), core);
        history
    }

    #[tokio::test]
    async fn a_sample_has_what_happened_since_the_one_before() {
        let app = app().await;
        for name in ["Ada", "", "Bob"] {
            let _outcome = app.call::<String>(&Caller::anonymous(), "greet", &(name,)).await;
        }
        let _client = app.connect();
        sample(&app);
        let history = sample(&app);
        assert_eq!(history.values(Series::Calls), [0.0, 3.0, 0.0]);
        assert_eq!(history.values(Series::Errors), [0.0, 1.0, 0.0]);
        assert_eq!(history.values(Series::Failures), [0.0, 0.0, 0.0]);
        let percentile = history.values(Series::Percentile99);
        assert!(percentile[1] > 0.0 && percentile[2] == 0.0, "{percentile:?}");
    }

    #[tokio::test]
    async fn the_samples_are_bounded() {
        let app = app().await;
        for _ in 0..SAMPLES + 5 {
            sample(&app);
        }
        assert_eq!(sample(&app).values(Series::Calls).len(), SAMPLES);
    }

    #[test]
    fn each_series_is_in_its_place() {
        for (place, series) in Series::ALL.iter().enumerate() {
            assert_eq!(*series as usize, place);
        }
    }
}
