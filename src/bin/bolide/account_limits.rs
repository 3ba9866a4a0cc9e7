//! The flags of the limits of accounts and rates, each with its default. `limits` puts them into [`Limits`].

use bolide::Limits;

/// The limits of what clients can take in accounts. Each flag is named after the field of [`Limits`] that it sets.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of accounts and rates")]
#[expect(clippy::struct_field_names, reason = "clap names the flags after the fields")]
pub(crate) struct AccountLimitArguments {
    /// Maximum number of counters of each rate limit; the oldest is dropped
    #[arg(
        long,
        env = "BOLIDE_MAX_RATE_COUNTERS",
        value_name = "NUMBER",
        default_value_t = Limits::default().rate_counters
    )]
    pub(super) max_rate_counters: usize,

    /// Maximum total size of the ids, names and parameters of a session's subscriptions, in bytes
    #[arg(
        long,
        env = "BOLIDE_MAX_SUBSCRIPTION_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().subscription_bytes
    )]
    pub(super) max_subscription_bytes: usize,

    /// Maximum number of stored counters of failed logins, wrong codes and mails; the oldest are deleted
    #[arg(
        long,
        env = "BOLIDE_MAX_FAILURE_COUNTERS",
        value_name = "NUMBER",
        default_value_t = Limits::default().failure_counters
    )]
    pub(super) max_failure_counters: u32,

    /// Maximum number of logins, of sign-ups and of codes that wait until their password is hashed; further ones are told
    /// to try again
    #[arg(
        long,
        env = "BOLIDE_MAX_WAITING_PASSWORDS",
        value_name = "NUMBER",
        default_value_t = Limits::default().waiting_passwords
    )]
    pub(super) max_waiting_passwords: usize,

    /// The same for those of one network: an IPv4 address or a /64 of IPv6
    #[arg(
        long,
        env = "BOLIDE_MAX_WAITING_PASSWORDS_PER_NETWORK",
        value_name = "NUMBER",
        default_value_t = Limits::default().waiting_passwords_per_network
    )]
    pub(super) max_waiting_passwords_per_network: usize,

    /// Maximum size of a user's profile as JSON, in bytes
    #[arg(
        long,
        env = "BOLIDE_MAX_PROFILE_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().profile_bytes
    )]
    pub(super) max_profile_bytes: usize,

    /// Maximum number of members and elements of a profile
    #[arg(
        long,
        env = "BOLIDE_MAX_PROFILE_MEMBERS",
        value_name = "NUMBER",
        default_value_t = Limits::default().profile_members
    )]
    pub(super) max_profile_members: usize,

    /// Maximum number of levels of a profile
    #[arg(
        long,
        env = "BOLIDE_MAX_PROFILE_DEPTH",
        value_name = "NUMBER",
        default_value_t = Limits::default().profile_depth
    )]
    pub(super) max_profile_depth: usize,
}
