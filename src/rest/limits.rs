//! Rate limits of endpoints: requests are counted by network and route, and by user. The count is told in Rocket.Chat's
//! headers; a request over the limit is refused with 429.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::answer::{Answer, refusal};
use crate::call::{WindowCount, WindowRule, Windows};
use crate::clock::Timestamp;
use crate::peer::Network;
use crate::user::UserId;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The counters of all endpoints. Those of networks and those of users are in separate tables, so that many addresses do
/// not push users out.
pub(super) struct RequestLimits {
    /// By the number of the route, and the network.
    networks: Windows<(usize, Option<Network>)>,
    users: Windows<UserId>,
}

/// The count of a request, for the headers.
#[derive(Clone, Copy)]
pub(super) struct Counted(WindowCount);

impl RequestLimits {
    /// Returns empty tables, each of at most `counters` counters.
    pub(super) fn new(counters: usize) -> Self {
        Self { networks: Windows::new(counters), users: Windows::new(counters) }
    }

    /// Counts a request of a network to a route. Clients whose address is unknown share a counter.
    pub(super) fn count_network(
        &self,
        route: usize,
        network: Option<Network>,
        rule: WindowRule,
        now: Timestamp,
    ) -> Counted {
        Counted(self.networks.count((route, network), rule, now))
    }

    /// Counts a request of a user.
    pub(super) fn count_user(&self, user: UserId, rule: WindowRule, now: Timestamp) -> Counted {
        Counted(self.users.count(user, rule, now))
    }
}

impl Counted {
    pub(super) const fn is_too_many(&self) -> bool {
        self.0.is_too_many()
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
        headers.insert(LIMIT, HeaderValue::from(self.0.rule.calls));
        headers.insert(REMAINING, HeaderValue::from(self.0.rule.calls.saturating_sub(self.0.calls)));
        headers.insert(RESET, HeaderValue::from(self.0.ends.milliseconds()));
    }

    fn seconds_left(&self) -> u64 {
        u64::try_from(self.0.milliseconds_left()).unwrap_or(0).div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULE: WindowRule = WindowRule { calls: 2, window: Duration::from_mins(1) };

    #[test]
    fn requests_of_one_ipv6_network_leave_the_counters_of_all_others() {
        let limits = RequestLimits::new(100);
        let now = Timestamp::from_milliseconds(0);
        let count = |address: &str| limits.count_network(0, Some(Network::of(address.parse().unwrap())), RULE, now);
        assert!(!limits.count_user("ada".into(), RULE, now).is_too_many());
        let refused = (0..51_000).filter(|number| count(&format!("2001:db8::{number:x}")).is_too_many()).count();
        assert_eq!(refused, 51_000 - 2);
        assert!(!count("192.0.2.1").is_too_many());
        assert!(!count("2001:db8:0:1::1").is_too_many());
        assert_eq!(limits.count_user("ada".into(), RULE, now).0.calls, 2);
    }
}
