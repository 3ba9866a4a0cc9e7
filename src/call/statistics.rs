//! [`MethodStatistics`]: the calls of a method, their outcomes and their durations. Counted without a lock, since every call
//! counts.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::error::CallFailure;
use super::{Method, MethodOutcome};
use crate::figures::{Count, Durations, DurationsBatch, DurationsSnapshot};

#[derive(Default)]
pub(crate) struct MethodStatistics {
    durations: Durations,
    failures: [Count; CallFailure::ALL.len()],
}

/// Calls in a row, which are counted together: counting each one takes as long as a small method. What was counted is added
/// to the statistics when a call of another method or another duration class follows, and when this is dropped. A call that
/// failed is added at once.
#[derive(Default)]
pub(crate) struct CallBatch {
    method: Option<Arc<Method>>,
    durations: DurationsBatch,
}

/// The calls of a method since the app was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodCounts {
    /// The number of calls that have ended.
    pub calls: u64,
    /// The number of calls that ended with an error.
    pub errors: u64,
    /// The median duration, rounded up to a latency class.
    pub median: Duration,
    /// The 99th percentile of the durations, rounded up to a latency class.
    pub percentile_99: Duration,
}

/// The same by outcome, with all durations.
#[derive(Clone, Debug)]
pub(crate) struct CallFigures {
    /// The number of calls that have ended with each outcome, the successful one first.
    pub(crate) outcomes: [(&'static str, u64); 1 + CallFailure::ALL.len()],
    pub(crate) durations: DurationsSnapshot,
}

impl MethodStatistics {
    /// Counts a call that has ended.
    pub(crate) fn count(&self, took: Duration, outcome: &MethodOutcome) {
        self.durations.count(took);
        if let Err(error) = outcome {
            self.failures[error.failure() as usize].one();
        }
    }

    pub(crate) fn counts(&self) -> MethodCounts {
        let durations = self.durations.snapshot();
        MethodCounts {
            calls: durations.count(),
            errors: self.failures.iter().map(Count::get).sum(),
            median: durations.percentile(50),
            percentile_99: durations.percentile(99),
        }
    }

    pub(crate) fn figures(&self) -> CallFigures {
        // Read first: each failure is among the durations that are read afterwards.
        let failures = self.failures.each_ref().map(Count::get);
        let durations = self.durations.snapshot();
        let ok = durations.count().saturating_sub(failures.iter().sum());
        let mut outcomes = [("ok", ok); _];
        for (outcome, (failure, count)) in outcomes[1..].iter_mut().zip(CallFailure::ALL.iter().zip(failures)) {
            *outcome = (failure.as_str(), count);
        }
        CallFigures { outcomes, durations }
    }
}

impl CallBatch {
    /// Counts a call that has ended.
    pub(crate) fn count(&mut self, method: &Arc<Method>, took: Duration, outcome: &MethodOutcome) {
        if self.method.as_ref().is_none_or(|own| !Arc::ptr_eq(own, method)) {
            self.tell();
            self.method = Some(Arc::clone(method));
        }
        let statistics = &method.statistics;
        match outcome {
            Ok(_) => statistics.durations.count_in(&mut self.durations, took),
            Err(_) => statistics.count(took, outcome),
        }
    }

    fn tell(&mut self) {
        if let Some(method) = self.method.take() {
            method.statistics.durations.add(&mem::take(&mut self.durations));
        }
    }
}

impl Drop for CallBatch {
    fn drop(&mut self) {
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Context, MethodError, MethodKind, MethodResult, TwoFactor};

    #[test]
    fn each_outcome_is_counted_apart() {
        let statistics = MethodStatistics::default();
        let count = |outcome| statistics.count(Duration::from_millis(1), &outcome);
        count(Ok(None));
        count(Ok(None));
        for code in ["no-amount", "totp-invalid", "totp-required", "too-many-requests"] {
            count(Err(MethodError::new(code, "")));
        }
        count(Err(MethodError::internal("the disk is full")));
        let expected = [("ok", 2), ("rejected", 2), ("challenged", 1), ("limited", 1), ("failed", 1)];
        assert_eq!(statistics.figures().outcomes, expected);
        assert_eq!((statistics.counts().calls, statistics.counts().errors), (7, 5));
    }

    #[test]
    fn calls_that_are_counted_together_are_those_of_their_method() {
        let method = |name| {
            let handler = async |_: Context| MethodResult::Ok(());
            Arc::new(Method::new(name, MethodKind::Method, TwoFactor::none(), handler).unwrap())
        };
        let (first, second) = (method("first"), method("second"));
        let mut batch = CallBatch::default();
        let failed = || Err(MethodError::internal("the disk is full"));
        for (method, outcome) in
            [(&first, Ok(None)), (&first, failed()), (&second, Ok(None)), (&first, Ok(None)), (&second, failed())]
        {
            batch.count(method, Duration::from_millis(1), &outcome);
        }
        assert_eq!(first.statistics.counts().calls, 3, "they are added when calls of another method follow");
        drop(batch);
        let counts =
            [&first, &second].map(|method| (method.statistics.counts().calls, method.statistics.counts().errors));
        assert_eq!(counts, [(3, 1), (2, 1)]);
    }

    #[test]
    fn nothing_was_counted_yet() {
        assert_eq!(MethodStatistics::default().counts(), MethodCounts::default());
    }
}
