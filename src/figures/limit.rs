//! [`Refusals`]: how often a limit has refused a client. The limits of what clients hold count themselves, in
//! [`Shares`](crate::shares::Shares).

use super::Count;
use crate::named::named;

named! {
    /// A limit that refuses a client. The names are those of the fields of [`Limits`](crate::Limits), if it is one.
    pub(crate) enum Limit {
        MessageBytes = "message_bytes",
        RequestBytes = "request_bytes",
        RequestTimeout = "request_timeout",
        QueuedMessages = "queued_messages",
        QueuedBytes = "queued_bytes",
        OutboxMessages = "outbox_messages",
        OutboxBytes = "outbox_bytes",
        ResumeMessages = "resume_messages",
        ConnectTimeout = "connect_timeout",
        Subscriptions = "subscriptions",
        SubscriptionBytes = "subscription_bytes",
        /// A profile is larger than one of its three limits.
        Profile = "profile",
        /// A client did not answer a heartbeat.
        Heartbeat = "heartbeat",
        /// A call or subscription exceeded a rate limit.
        CallRate = "rate_limit",
        /// A request exceeded the rate limit of its endpoint.
        RequestRate = "request_rate_limit",
    }
}

/// The number of refusals by each limit.
#[derive(Default)]
pub(crate) struct Refusals([Count; Limit::ALL.len()]);

impl Refusals {
    pub(crate) fn count(&self, limit: Limit) {
        self.0[limit as usize].one();
    }

    /// Returns the number of refusals, with the names of the limits.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Limit::ALL.iter().zip(&self.0).map(|(limit, count)| (limit.as_str(), count.get()))
    }
}
