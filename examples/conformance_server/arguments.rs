//! The flags of the conformance server.

use std::time::Duration;

use bolide::call::RateLimitRule;
use clap::Parser;

/// The application that DDP conformance cases run against.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:3000")]
    pub(crate) listen: String,

    /// Where users and settings are kept: `sqlite:PATH`, or `sqlite::memory:`.
    #[arg(long, default_value = "sqlite::memory:")]
    pub(crate) database: String,

    /// Where mail is sent, as `smtp://HOST:PORT`.
    #[arg(long)]
    pub(crate) smtp: Option<String>,

    /// Where mail is put as files, without `--smtp`.
    #[arg(long)]
    pub(crate) mail_dir: Option<std::path::PathBuf>,

    /// Counts calls: Meteor's rule for account methods, Rocket.Chat's limits for the others.
    #[arg(long)]
    pub(crate) rate_limits: bool,

    /// A client that says nothing for this long is sent a ping; 0: never.
    #[arg(long, default_value_t = 15_000)]
    pub(crate) heartbeat_interval_ms: u64,

    /// A client that says nothing for this long after a ping is closed.
    #[arg(long, default_value_t = 15_000)]
    pub(crate) heartbeat_timeout_ms: u64,

    /// Through how many proxies clients come.
    #[arg(long, env = "HTTP_FORWARDED_COUNT", default_value_t = 0)]
    pub(crate) forwarded_count: usize,
}

impl Arguments {
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
