//! The flags of all [`Limits`] and of the [`Heartbeat`], each with its default.

use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;
use std::time::Duration;

use bolide::{Heartbeat, Limits};

use super::account_limits::AccountLimitArguments;

/// A duration that is written in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

/// The limits of a server. Each flag is named after the field of [`Limits`] that it sets.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of connections")]
pub(crate) struct LimitArguments {
    /// Maximum number of open connections, and of sessions; further ones are answered with 503. It is lowered if the
    /// system allows fewer open files
    #[arg(long, env = "BOLIDE_MAX_CONNECTIONS", value_name = "NUMBER", default_value_t = Limits::default().connections)]
    max_connections: usize,

    /// Maximum number of open connections, and of sessions, of one network: an IPv4 address or a /64 of IPv6
    #[arg(
        long,
        env = "BOLIDE_MAX_CONNECTIONS_PER_NETWORK",
        value_name = "NUMBER",
        default_value_t = Limits::default().connections_per_network
    )]
    max_connections_per_network: usize,

    /// Maximum number of sessions whose client has not sent `connect`
    #[arg(
        long,
        env = "BOLIDE_MAX_UNOPENED_SESSIONS",
        value_name = "NUMBER",
        default_value_t = Limits::default().unopened_sessions
    )]
    max_unopened_sessions: usize,

    /// Maximum number of sessions of one network whose client has not sent `connect`
    #[arg(
        long,
        env = "BOLIDE_MAX_UNOPENED_SESSIONS_PER_NETWORK",
        value_name = "NUMBER",
        default_value_t = Limits::default().unopened_sessions_per_network
    )]
    max_unopened_sessions_per_network: usize,

    /// Maximum number of bytes that the server holds for all clients: waiting messages, parts of messages, bodies
    #[arg(
        long,
        env = "BOLIDE_MAX_HELD_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().held_bytes
    )]
    max_held_bytes: usize,

    /// Maximum number of these bytes for the clients of one network
    #[arg(
        long,
        env = "BOLIDE_MAX_HELD_BYTES_PER_NETWORK",
        value_name = "BYTES",
        default_value_t = Limits::default().held_bytes_per_network
    )]
    max_held_bytes_per_network: usize,

    /// Maximum number of documents that all sessions hold, each counted once for each subscription that shows it
    #[arg(
        long,
        env = "BOLIDE_MAX_HELD_DOCUMENTS",
        value_name = "NUMBER",
        default_value_t = Limits::default().held_documents
    )]
    max_held_documents: usize,

    /// Maximum number of these documents for the sessions of one network
    #[arg(
        long,
        env = "BOLIDE_MAX_HELD_DOCUMENTS_PER_NETWORK",
        value_name = "NUMBER",
        default_value_t = Limits::default().held_documents_per_network
    )]
    max_held_documents_per_network: usize,

    /// Maximum number of bytes that the server holds for all clients that are away and may resume their session
    #[arg(
        long,
        env = "BOLIDE_MAX_AWAY_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().away_bytes
    )]
    max_away_bytes: usize,

    /// Maximum number of these bytes for the clients of one network
    #[arg(
        long,
        env = "BOLIDE_MAX_AWAY_BYTES_PER_NETWORK",
        value_name = "BYTES",
        default_value_t = Limits::default().away_bytes_per_network
    )]
    max_away_bytes_per_network: usize,

    /// Maximum number of subscriptions of a session
    #[arg(
        long,
        env = "BOLIDE_MAX_SUBSCRIPTIONS",
        value_name = "NUMBER",
        default_value_t = Limits::default().subscriptions,
        help_heading = "Limits of sessions"
    )]
    max_subscriptions: usize,

    /// Maximum number of concurrent calls of a session after `unblock`
    #[arg(
        long,
        env = "BOLIDE_MAX_RUNNING_CALLS",
        value_name = "NUMBER",
        default_value_t = Limits::default().running_calls,
        help_heading = "Limits of sessions"
    )]
    max_running_calls: usize,

    /// Maximum number of messages from a session that wait for their turn
    #[arg(
        long,
        env = "BOLIDE_MAX_QUEUED_MESSAGES",
        value_name = "NUMBER",
        default_value_t = Limits::default().queued_messages,
        help_heading = "Limits of sessions"
    )]
    max_queued_messages: usize,

    /// Maximum size of the messages from a session that wait for their turn
    #[arg(
        long,
        env = "BOLIDE_MAX_QUEUED_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().queued_bytes,
        help_heading = "Limits of sessions"
    )]
    max_queued_bytes: usize,

    /// Maximum number of messages that wait for a client that reads too slowly
    #[arg(
        long,
        env = "BOLIDE_MAX_OUTBOX_MESSAGES",
        value_name = "NUMBER",
        default_value_t = Limits::default().outbox_messages,
        help_heading = "Limits of sessions"
    )]
    max_outbox_messages: usize,

    /// Maximum size of the messages that wait for a client that reads too slowly
    #[arg(
        long,
        env = "BOLIDE_MAX_OUTBOX_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().outbox_bytes,
        help_heading = "Limits of sessions"
    )]
    max_outbox_bytes: usize,

    /// Size of waiting messages above which the server stops reading from the client and publications wait
    #[arg(
        long,
        env = "BOLIDE_MAX_OUTBOX_HIGH_WATER",
        value_name = "BYTES",
        default_value_t = Limits::default().outbox_high_water,
        help_heading = "Limits of sessions"
    )]
    max_outbox_high_water: usize,

    /// Maximum number of messages that wait for a client that is away
    #[arg(
        long,
        env = "BOLIDE_MAX_RESUME_MESSAGES",
        value_name = "NUMBER",
        default_value_t = Limits::default().resume_messages,
        help_heading = "Limits of sessions"
    )]
    max_resume_messages: usize,

    /// Maximum size of a message from a client
    #[arg(
        long,
        env = "BOLIDE_MAX_MESSAGE_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().message_bytes,
        help_heading = "Limits of messages"
    )]
    max_message_bytes: usize,

    /// Maximum size of the body of a REST request
    #[arg(
        long,
        env = "BOLIDE_MAX_REQUEST_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().request_bytes,
        help_heading = "Limits of messages"
    )]
    max_request_bytes: usize,

    /// Time for a client to send `connect`
    #[arg(
        long,
        env = "BOLIDE_CONNECT_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().connect_timeout),
        help_heading = "Timeouts"
    )]
    connect_timeout: Seconds,

    /// Time for a client to send the head of a request, and for its body
    #[arg(
        long,
        env = "BOLIDE_REQUEST_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().request_timeout),
        help_heading = "Timeouts"
    )]
    request_timeout: Seconds,

    /// Time for which a client may accept no bytes of an answer
    #[arg(
        long,
        env = "BOLIDE_WRITE_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().write_timeout),
        help_heading = "Timeouts"
    )]
    write_timeout: Seconds,

    /// Time for the closing handshake
    #[arg(
        long,
        env = "BOLIDE_CLOSE_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().close_timeout),
        help_heading = "Timeouts"
    )]
    close_timeout: Seconds,

    /// Time for running methods when the server shuts down, after the last sessions were asked to end
    #[arg(
        long,
        env = "BOLIDE_SHUTDOWN_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().shutdown_timeout),
        help_heading = "Timeouts"
    )]
    shutdown_timeout: Seconds,

    /// Time for which a server that shuts down still takes clients, while /ready answers 503
    #[arg(
        long,
        env = "BOLIDE_DRAIN_DELAY",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().drain_delay),
        help_heading = "Timeouts"
    )]
    drain_delay: Seconds,

    /// Time over which a server that shuts down closes its sessions, in waves of at least 100
    #[arg(
        long,
        env = "BOLIDE_DRAIN_TIME",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().drain_time),
        help_heading = "Timeouts"
    )]
    drain_time: Seconds,

    /// Time for which a change of the user waits for publications that run again
    #[arg(
        long,
        env = "BOLIDE_USER_CHANGE_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().user_change_timeout),
        help_heading = "Timeouts"
    )]
    user_change_timeout: Seconds,

    /// Time for which a session waits for its client to resume it; 0 disables resumption
    #[arg(
        long,
        env = "BOLIDE_RESUME_GRACE",
        value_name = "SECONDS",
        default_value_t = Seconds(Limits::default().resume_grace),
        help_heading = "Timeouts"
    )]
    resume_grace: Seconds,

    /// Time without a message after which a client is sent a `ping`; 0 disables heartbeats
    #[arg(
        long,
        env = "BOLIDE_HEARTBEAT_INTERVAL",
        value_name = "SECONDS",
        default_value_t = Seconds(Heartbeat::default().interval),
        help_heading = "Timeouts"
    )]
    heartbeat_interval: Seconds,

    /// Time without a message after the `ping` after which the connection is closed
    #[arg(
        long,
        env = "BOLIDE_HEARTBEAT_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = Seconds(Heartbeat::default().timeout),
        help_heading = "Timeouts"
    )]
    heartbeat_timeout: Seconds,

    #[command(flatten)]
    accounts: AccountLimitArguments,
}

impl LimitArguments {
    /// Returns the limits. Without `..`, so that a new limit without a flag does not compile.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            message_bytes: self.max_message_bytes,
            request_bytes: self.max_request_bytes,
            queued_messages: self.max_queued_messages,
            queued_bytes: self.max_queued_bytes,
            running_calls: self.max_running_calls,
            outbox_messages: self.max_outbox_messages,
            outbox_bytes: self.max_outbox_bytes,
            outbox_high_water: self.max_outbox_high_water,
            connect_timeout: self.connect_timeout.0,
            request_timeout: self.request_timeout.0,
            write_timeout: self.write_timeout.0,
            close_timeout: self.close_timeout.0,
            shutdown_timeout: self.shutdown_timeout.0,
            drain_delay: self.drain_delay.0,
            drain_time: self.drain_time.0,
            subscriptions: self.max_subscriptions,
            user_change_timeout: self.user_change_timeout.0,
            resume_grace: self.resume_grace.0,
            resume_messages: self.max_resume_messages,
            connections: self.max_connections,
            connections_per_network: self.max_connections_per_network,
            unopened_sessions: self.max_unopened_sessions,
            unopened_sessions_per_network: self.max_unopened_sessions_per_network,
            held_bytes: self.max_held_bytes,
            held_bytes_per_network: self.max_held_bytes_per_network,
            held_documents: self.max_held_documents,
            held_documents_per_network: self.max_held_documents_per_network,
            away_bytes: self.max_away_bytes,
            away_bytes_per_network: self.max_away_bytes_per_network,
            rate_counters: self.accounts.max_rate_counters,
            subscription_bytes: self.accounts.max_subscription_bytes,
            failure_counters: self.accounts.max_failure_counters,
            waiting_passwords: self.accounts.max_waiting_passwords,
            waiting_passwords_per_network: self.accounts.max_waiting_passwords_per_network,
            profile_bytes: self.accounts.max_profile_bytes,
            profile_members: self.accounts.max_profile_members,
            profile_depth: self.accounts.max_profile_depth,
        }
    }

    pub(crate) const fn heartbeat(&self) -> Heartbeat {
        Heartbeat { interval: self.heartbeat_interval.0, timeout: self.heartbeat_timeout.0 }
    }
}

/// The error for a text that is not a number of seconds.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSeconds {
    #[error("a number of seconds such as 30 or 0.5 is needed")]
    Number(#[from] ParseFloatError),
    #[error("the number of seconds must be positive and not too large")]
    Range,
}

impl FromStr for Seconds {
    type Err = NotSeconds;

    fn from_str(text: &str) -> Result<Self, NotSeconds> {
        /// The sleep of a timer has an end.
        const LONGEST: Duration = Duration::from_hours(365 * 24);
        let duration = Duration::try_from_secs_f64(text.trim().parse()?).map_err(|_| NotSeconds::Range)?;
        if duration > LONGEST { Err(NotSeconds::Range) } else { Ok(Self(duration)) }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        limits: LimitArguments,
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let program = Program::parse_from(["bolide"]);
        assert_eq!(program.limits.limits(), Limits::default());
        assert_eq!(program.limits.heartbeat(), Heartbeat::default());
    }

    #[test]
    fn seconds_may_have_fractions() {
        let seconds = |text: &str| text.parse::<Seconds>().ok().map(|seconds| seconds.0);
        assert_eq!(seconds("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(seconds("0"), Some(Duration::ZERO));
        for text in ["", "soon", "-1", "inf", "NaN", "1e12"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
