//! [`MethodStatistics`]: the calls of a method, their outcomes and their durations. Counted without a lock, since every call
//! counts.

use std::time::Duration;

use super::MethodOutcome;
use super::error::CallFailure;
use crate::figures::{Count, Durations, DurationsSnapshot};

#[derive(Default)]
pub(crate) struct MethodStatistics {
    durations: Durations,
    failures: [Count; CallFailure::ALL.len()],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::MethodError;

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
    fn nothing_was_counted_yet() {
        assert_eq!(MethodStatistics::default().counts(), MethodCounts::default());
    }
}
