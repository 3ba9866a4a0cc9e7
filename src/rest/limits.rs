//! Rate limits of endpoints: requests are counted by address and route, and by user, in fixed windows. The count is told in
//! Rocket.Chat's headers; a request over the limit is refused with 429.

use std::collections::HashMap;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;

use super::answer::{Answer, refusal};
use crate::clock::Timestamp;
use crate::peer::Network;
use crate::user::UserId;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The maximum number of counters. When it is reached, further clients share one counter.
const COUNTERS: usize = 50_000;

/// The maximum number of calls in each window.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) calls: u32,
    pub(super) window: Duration,
}

/// What shares a counter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Counter {
    /// One network at one route, which is identified by its number.
    At(usize, Option<Network>),
    User(UserId),
    /// Clients that came when all counters were in use.
    Others,
}

#[derive(Default)]
pub(super) struct RequestLimits {
    counters: Mutex<HashMap<Counter, Window>>,
}

struct Window {
    calls: u32,
    ends: Timestamp,
}

/// The count of a request, for the headers.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    rule: Rule,
    calls: u32,
    ends: Timestamp,
    now: Timestamp,
}

impl RequestLimits {
    /// Counts a call. Refused calls count as well.
    pub(super) fn count(&self, of: Counter, rule: Rule, now: Timestamp) -> Counted {
        let mut counters = self.counters.lock();
        if counters.len() >= COUNTERS && !counters.contains_key(&of) {
            counters.retain(|_, window| now < window.ends);
        }
        let of = if counters.len() >= COUNTERS && !counters.contains_key(&of) { Counter::Others } else { of };
        let ends = now.plus(rule.window);
        let window = counters.entry(of).or_insert(Window { calls: 0, ends });
        // A clock that is set back, or a shorter window, does not make a client wait longer.
        if window.ends <= now || ends < window.ends {
            *window = Window { calls: 0, ends };
        }
        window.calls = window.calls.saturating_add(1);
        Counted { rule, calls: window.calls, ends: window.ends, now }
    }
}

impl Counted {
    pub(super) const fn is_too_many(&self) -> bool {
        self.calls > self.rule.calls
    }

    /// Returns 429 with the time to wait.
    pub(super) fn refuse(&self) -> Answer {
        let seconds = self.seconds_left();
        let sentence = format!(
            "Error, too many requests. Please slow down. You must wait {seconds} seconds before trying this endpoint \
             again. [error-too-many-requests]"
        );
        let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, &sentence, "error-too-many-requests");
        self.tell(answer.headers_mut());
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        answer
    }

    /// Writes the headers that tell the remaining calls.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.rule.calls));
        headers.insert(REMAINING, HeaderValue::from(self.rule.calls.saturating_sub(self.calls)));
        headers.insert(RESET, HeaderValue::from(self.ends.milliseconds()));
    }

    fn seconds_left(&self) -> u64 {
        u64::try_from(self.ends.milliseconds() - self.now.milliseconds()).unwrap_or(0).div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { calls: 2, window: Duration::from_mins(1) };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    #[test]
    fn each_caller_has_so_many_calls_in_a_window() {
        let limits = RequestLimits::default();
        let caller = |address: &str| Counter::At(0, Some(Network::of(address.parse().unwrap())));
        let count = |address, time| limits.count(caller(address), RULE, at(time)).is_too_many();
        assert_eq!(
            [count("10.0.0.1", 0), count("10.0.0.1", 1), count("10.0.0.1", 2), count("10.0.0.2", 2)],
            [false, false, true, false]
        );
        assert!(count("10.0.0.1", 59_999));
        assert!(!count("10.0.0.1", 60_000));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer() {
        let limits = RequestLimits::default();
        let count = |time| limits.count(Counter::User("u".into()), RULE, at(time)).is_too_many();
        assert_eq!([count(1_000_000), count(1_000_000), count(1_000_000)], [false, false, true]);
        assert!(!count(0));
    }

    #[test]
    fn counters_are_bounded() {
        let limits = RequestLimits::default();
        for number in 0..COUNTERS + 10 {
            limits.count(Counter::At(number, None), RULE, at(0));
        }
        assert!(limits.counters.lock().len() <= COUNTERS + 1);
        assert!(limits.count(Counter::At(usize::MAX, None), RULE, at(1)).is_too_many());
        assert!(!limits.count(Counter::At(usize::MAX, None), RULE, at(60_000)).is_too_many());
    }
}
