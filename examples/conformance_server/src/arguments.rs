//! The flags of the conformance server.

use std::time::Duration;

use bolide::Collection;
use bolide::bus::ClusterName;
use bolide::call::RateLimitRule;
use clap::Parser;

/// The application that DDP conformance cases run against.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The address to listen on. Port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:3000")]
    pub(crate) listen: String,

    /// The address at which the metrics are served, if they are
    #[arg(long)]
    pub(crate) metrics_listen: Option<String>,

    /// The database for users and settings: `sqlite:PATH`, `sqlite::memory:` or `postgres://…`
    #[arg(long, default_value = "sqlite::memory:")]
    pub(crate) database: String,

    /// Keeps the collection `items` in the database, and not in memory
    #[arg(long)]
    pub(crate) stored_items: bool,

    /// NATS servers over which nodes with the same database tell each other of changes, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub(crate) nats: Vec<String>,

    /// The name of the cluster: the nodes with the same database
    #[arg(long, default_value_t)]
    pub(crate) cluster: ClusterName,

    /// The mail server, as `smtp://HOST:PORT`
    #[arg(long)]
    pub(crate) smtp: Option<String>,

    /// The directory to which mails are written as files if `--smtp` is not given
    #[arg(long)]
    pub(crate) mail_dir: Option<std::path::PathBuf>,

    /// Enables rate limits: Meteor's rule for account methods, Rocket.Chat's limits for the others
    #[arg(long)]
    pub(crate) rate_limits: bool,

    /// Gives every user who has a second factor a passkey as well, which no authenticator has: clients that do not know
    /// passkeys must not notice
    #[arg(long, env = "CONFORMANCE_PASSKEYS")]
    pub(crate) passkeys: bool,

    /// How long a client may be silent before the server sends a ping, in milliseconds; 0 disables pings
    #[arg(long, default_value_t = 15_000)]
    pub(crate) heartbeat_interval_ms: u64,

    /// How long a client may be silent after a ping before the server closes the connection, in milliseconds
    #[arg(long, default_value_t = 15_000)]
    pub(crate) heartbeat_timeout_ms: u64,

    /// The number of proxies in front of the server
    #[arg(long, env = "HTTP_FORWARDED_COUNT", default_value_t = 0)]
    pub(crate) forwarded_count: usize,
}

impl Arguments {
    pub(crate) fn items(&self) -> Collection {
        if self.stored_items { Collection::stored("items").index("group") } else { Collection::new("items") }
    }

    pub(crate) fn heartbeat_interval(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms)
    }

    pub(crate) fn heartbeat_timeout(&self) -> Duration {
        Duration::from_millis(self.heartbeat_timeout_ms)
    }

    pub(crate) fn rate_limit_rules(&self) -> Vec<RateLimitRule> {
        if !self.rate_limits {
            return Vec::new();
        }
        let minute = Duration::from_mins(1);
        let ten_seconds = Duration::from_secs(10);
        vec![
            RateLimitRule::new(5, ten_seconds)
                .methods(["login", "createUser", "resetPassword", "forgotPassword"])
                .per_connection(),
            RateLimitRule::new(1200, minute).per_user(),
            RateLimitRule::new(600, minute).per_connection(),
            RateLimitRule::new(20, ten_seconds).per_user().per_name(),
            RateLimitRule::new(10, ten_seconds).per_connection().per_name(),
        ]
    }
}
