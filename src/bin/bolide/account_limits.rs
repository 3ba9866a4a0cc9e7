//! The flags of the limits of accounts and rates, each with its default.

use bolide::Limits;

/// The limits of what clients can take in accounts. Each flag is named after the field of [`Limits`] that it sets.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of accounts and rates")]
#[expect(clippy::struct_field_names, reason = "clap names the flags after the fields")]
pub(crate) struct AccountLimitArguments {
    /// Maximum number of counters of each rate limit; the oldest makes room
    #[arg(
        long,
        env = "BOLIDE_MAX_RATE_COUNTERS",
        value_name = "NUMBER",
        default_value_t = Limits::default().rate_counters
    )]
    max_rate_counters: usize,

    /// Maximum total size of the ids, names and parameters of a session's subscriptions, in bytes
    #[arg(
        long,
        env = "BOLIDE_MAX_SUBSCRIPTION_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().subscription_bytes
    )]
    max_subscription_bytes: usize,

    /// Maximum number of stored counters of failed logins, wrong codes and mails; the oldest are deleted
    #[arg(
        long,
        env = "BOLIDE_MAX_FAILURE_COUNTERS",
        value_name = "NUMBER",
        default_value_t = Limits::default().failure_counters
    )]
    max_failure_counters: u32,

    /// Maximum number of logins, of sign-ups and of codes that wait until their password is hashed; further ones are told
    /// to try again
    #[arg(
        long,
        env = "BOLIDE_MAX_WAITING_PASSWORDS",
        value_name = "NUMBER",
        default_value_t = Limits::default().waiting_passwords
    )]
    max_waiting_passwords: usize,

    /// The same for those of one network: an IPv4 address or a /64 of IPv6
    #[arg(
        long,
        env = "BOLIDE_MAX_WAITING_PASSWORDS_PER_NETWORK",
        value_name = "NUMBER",
        default_value_t = Limits::default().waiting_passwords_per_network
    )]
    max_waiting_passwords_per_network: usize,

    /// Maximum size of a user's profile as JSON, in bytes
    #[arg(
        long,
        env = "BOLIDE_MAX_PROFILE_BYTES",
        value_name = "BYTES",
        default_value_t = Limits::default().profile_bytes
    )]
    max_profile_bytes: usize,

    /// Maximum number of members and elements of a profile
    #[arg(
        long,
        env = "BOLIDE_MAX_PROFILE_MEMBERS",
        value_name = "NUMBER",
        default_value_t = Limits::default().profile_members
    )]
    max_profile_members: usize,

    /// Maximum number of levels of a profile
    #[arg(
        long,
        env = "BOLIDE_MAX_PROFILE_DEPTH",
        value_name = "NUMBER",
        default_value_t = Limits::default().profile_depth
    )]
    max_profile_depth: usize,
}

impl AccountLimitArguments {
    /// Sets the limits of the flags.
    pub(crate) const fn apply(&self, limits: &mut Limits) {
        limits.rate_counters = self.max_rate_counters;
        limits.subscription_bytes = self.max_subscription_bytes;
        limits.failure_counters = self.max_failure_counters;
        limits.waiting_passwords = self.max_waiting_passwords;
        limits.waiting_passwords_per_network = self.max_waiting_passwords_per_network;
        limits.profile_bytes = self.max_profile_bytes;
        limits.profile_members = self.max_profile_members;
        limits.profile_depth = self.max_profile_depth;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        limits: AccountLimitArguments,
    }

    #[test]
    fn each_flag_sets_the_limit_that_it_is_named_after() {
        let parsed = |flags: &[&str]| {
            let mut limits = Limits::default();
            Program::parse_from(["bolide"].iter().chain(flags)).limits.apply(&mut limits);
            limits
        };
        assert_eq!(parsed(&[]), Limits::default());
        let flags = [
            "--max-rate-counters=1",
            "--max-waiting-passwords=2",
            "--max-waiting-passwords-per-network=3",
            "--max-profile-bytes=4",
            "--max-profile-members=5",
            "--max-profile-depth=6",
            "--max-failure-counters=7",
            "--max-subscription-bytes=8",
        ];
        let expected = Limits {
            rate_counters: 1,
            waiting_passwords: 2,
            waiting_passwords_per_network: 3,
            profile_bytes: 4,
            profile_members: 5,
            profile_depth: 6,
            failure_counters: 7,
            subscription_bytes: 8,
            ..Limits::default()
        };
        assert_eq!(parsed(&flags), expected);
    }
}
