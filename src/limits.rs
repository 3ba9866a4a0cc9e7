//! [`Limits`]: the limits of a server. Each has a name, a default, and a documented effect when it is reached.

use std::time::Duration;

/// The limits of a server. Start from the default and change what you need.
///
/// ```
/// use bolide::Limits;
///
/// let limits = Limits { message_bytes: 4 << 20, ..Limits::default() };
/// assert_eq!(limits.outbox_messages, 20_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: it is written with `..Limits::default()`.
pub struct Limits {
    /// The maximum size of a message from a client, in bytes. A longer one closes the connection with 1009. Default: 1 MiB.
    pub message_bytes: usize,
    /// The maximum size of the body of a REST request, in bytes. A longer one is answered with 413. Default: 1 MiB.
    pub request_bytes: usize,
    /// The maximum number of messages from a session that wait for their turn. One more closes the connection with 1008.
    /// Default: 2 000.
    pub queued_messages: usize,
    /// The maximum total size of the messages from a session that wait for their turn, in bytes. More close the connection
    /// with 1008. Default: 16 MiB.
    pub queued_bytes: usize,
    /// The maximum number of concurrent calls and subscriptions of a session after `unblock`. Further messages wait in the
    /// queue. Default: 1 000.
    pub running_calls: usize,
    /// The maximum number of messages that wait for a client that reads too slowly. One more closes the connection with
    /// 1013. Documents that are removed with their subscription or that change with the user do not count, here and
    /// below. Default: 20 000.
    pub outbox_messages: usize,
    /// The maximum number of bytes that wait for a client that reads too slowly. More close the connection with 1013.
    /// Default: 8 MiB.
    pub outbox_bytes: usize,
    /// The number of waiting bytes above which the server stops reading from the client and publications wait. Half of
    /// `outbox_messages` has the same effect. Default: 256 KiB.
    pub outbox_high_water: usize,
    /// The timeout for a client to send `connect` after it has opened a connection. Default: 10 s.
    pub connect_timeout: Duration,
    /// The timeout for a request: for its head, which includes the time since the previous request on the same
    /// connection, and for its body. Default: 30 s.
    pub request_timeout: Duration,
    /// The time for which a client may accept no bytes of an answer that waits for it. Then its connection is closed.
    /// Default: 30 s.
    pub write_timeout: Duration,
    /// The timeout of the closing handshake. Default: 5 s.
    pub close_timeout: Duration,
    /// The timeout for running methods when the server shuts down, after the last sessions were asked to end. Default: 10 s.
    pub shutdown_timeout: Duration,
    /// The time for which a server that shuts down still takes clients, while `/ready` answers 503, so that a load balancer
    /// notices before connections are refused. Default: 0 s.
    pub drain_delay: Duration,
    /// The time over which a server that shuts down closes its sessions, in waves of at least 100, so that their clients do
    /// not all connect to other servers at once. Up to 100 sessions are closed at once. Default: 5 s.
    pub drain_time: Duration,
    /// The maximum number of subscriptions of a session. A further one fails with `too-many-subscriptions`.
    /// Default: 2 000.
    pub subscriptions: usize,
    /// The maximum total size of the ids, names and parameters of the subscriptions of a session, in bytes. A subscription
    /// that exceeds it fails with `too-many-subscriptions`. Default: 2 MiB.
    pub subscription_bytes: usize,
    /// How long a change of the user waits for the initial documents of publications that run again. Publications that
    /// take longer send them afterwards. Default: 10 s.
    pub user_change_timeout: Duration,
    /// How long a session waits for its client to resume it on another connection. Zero disables resumption.
    /// Default: 15 s.
    pub resume_grace: Duration,
    /// The maximum number of messages of a session that wait for a client that is away. One more ends the session.
    /// Default: 100.
    pub resume_messages: usize,
    /// The maximum number of open connections, counted from the moment that they are accepted. Sessions have the same
    /// maximum, because a session over HTTP requests, or one that waits to be resumed, has no connection of its own. A
    /// further one is answered with 503. Default: 100 000.
    pub connections: usize,
    /// The maximum number of open connections of one network, and of its sessions: of one IPv4 address, or of one /64 of
    /// IPv6. Behind trusted proxies, the client's network counts. Clients whose address is unknown count as one network.
    /// A further one is answered with 503. Default: 20 000.
    pub connections_per_network: usize,
    /// The maximum number of sessions whose client has not sent `connect`. A further one is answered with 503.
    /// Default: 20 000.
    pub unopened_sessions: usize,
    /// The maximum number of sessions of one network whose client has not sent `connect`. A further one is answered with
    /// 503. Default: 2 000.
    pub unopened_sessions_per_network: usize,
    /// The maximum number of bytes that the server holds for all clients: messages that wait for a session or for its
    /// client, parts of messages, and bodies of requests. The first 32 KiB of each do not count. A session that needs more
    /// is closed with 1013, and a request is answered with 503. Default: 1 GiB.
    pub held_bytes: usize,
    /// The maximum number of these bytes for the clients of one network. Default: 64 MiB.
    pub held_bytes_per_network: usize,
    /// The maximum number of documents that all sessions hold: what the server remembers of the documents that it has sent,
    /// some 150 bytes for each document and each subscription that shows it. The first 500 of a session do not count. A
    /// session that needs more is closed with 1013. Default: 20,000,000.
    pub held_documents: usize,
    /// The maximum number of these documents for the sessions of one network. Default: 2,000,000.
    pub held_documents_per_network: usize,
    /// The maximum number of bytes that the server holds for all clients that are away: that have lost their connection and
    /// may resume their session. These are the messages that wait for them, with 128 bytes more for each, the ids, names and
    /// parameters of their subscriptions, and the ids of calls that they may send again. They do not count as `held_bytes`. A
    /// session that needs more ends before `resume_grace`, and a client that returns gets a new one. Default: 512 MiB.
    pub away_bytes: usize,
    /// The maximum number of these bytes for the clients of one network. Default: 64 MiB.
    pub away_bytes_per_network: usize,
    /// The maximum number of counters of each rate limit. When there are more networks, connections or users, the counter
    /// whose window began first makes room. Default: 50 000.
    pub rate_counters: usize,
    /// The maximum number of stored counters of failed logins, wrong codes and mails. Those with the oldest failures are
    /// deleted, at the next sweep, unless they block. Default: 1 000 000.
    pub failure_counters: u32,
    /// The maximum number of calls that wait until a password is hashed, in each of three lines: new passwords and sign-ups,
    /// logins, and codes. The same for the line before the lock of each user or address whose login or code is checked. If a
    /// line is full, a call of the network with the most calls in it fails with `too-many-requests`. Default: 4 096.
    pub waiting_passwords: usize,
    /// The maximum number of calls of one network that wait in such a line. A further one fails with `too-many-requests`.
    /// Networks take turns. Default: 512.
    pub waiting_passwords_per_network: usize,
    /// The maximum size of a user's profile, and of the user's further fields, as JSON in bytes. A larger one is rejected
    /// with 400. Default: 8 KiB.
    pub profile_bytes: usize,
    /// The maximum number of members and elements of a profile, of all levels together. Default: 64.
    pub profile_members: usize,
    /// The maximum number of levels of a profile. Default: 4.
    pub profile_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            request_bytes: 1 << 20,
            queued_messages: 2_000,
            queued_bytes: 16 << 20,
            running_calls: 1_000,
            outbox_messages: 20_000,
            outbox_bytes: 8 << 20,
            outbox_high_water: 256 << 10,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(10),
            drain_delay: Duration::ZERO,
            drain_time: Duration::from_secs(5),
            subscriptions: 2_000,
            subscription_bytes: 2 << 20,
            user_change_timeout: Duration::from_secs(10),
            resume_grace: Duration::from_secs(15),
            resume_messages: 100,
            connections: 100_000,
            connections_per_network: 20_000,
            unopened_sessions: 20_000,
            unopened_sessions_per_network: 2_000,
            held_bytes: 1 << 30,
            held_bytes_per_network: 64 << 20,
            held_documents: 20_000_000,
            held_documents_per_network: 2_000_000,
            away_bytes: 512 << 20,
            away_bytes_per_network: 64 << 20,
            rate_counters: 50_000,
            failure_counters: 1_000_000,
            waiting_passwords: 4_096,
            waiting_passwords_per_network: 512,
            profile_bytes: 8 << 10,
            profile_members: 64,
            profile_depth: 4,
        }
    }
}

/// When a server pings a silent client, and when it closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: it is written with `..Heartbeat::default()`.
pub struct Heartbeat {
    /// The time without a message after which the client is sent a `ping`. Zero disables heartbeats. Default: 15 s.
    pub interval: Duration,
    /// The time without a message after the `ping` after which the connection is closed. Default: 15 s.
    pub timeout: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), timeout: Duration::from_secs(15) }
    }
}
