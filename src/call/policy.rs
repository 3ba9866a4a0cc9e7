//! [`TwoFactor`]: the two-factor policy of a method. It is an argument of every registration, so that every method has
//! one.

use std::fmt;
use std::time::Duration;

/// The two-factor policy of a method.
///
/// ```
/// use std::time::Duration;
/// use bolide::TwoFactor;
///
/// let open: TwoFactor = TwoFactor::none();
/// let usual: TwoFactor = TwoFactor::required().into();
/// let strict: TwoFactor = TwoFactor::required().disable_remember_me().require_second_factor().into();
/// let fresh: TwoFactor = TwoFactor::required().max_age(Duration::from_secs(60)).into();
/// // For what changes the protection of an account: its factors, its password, its address.
/// let protecting: TwoFactor = TwoFactor::fresh_proof().into();
/// assert!(!open.is_gated() && usual.is_gated() && strict.is_gated() && fresh.is_gated() && protecting.is_gated());
///
/// // Only some calls of the method: its handler says which, by `SignedIn::demand_two_factor`.
/// let sometimes: TwoFactor = TwoFactor::required().on_demand();
/// assert!(!sometimes.is_gated() && sometimes.requirement().is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TwoFactor {
    /// The method runs without a second factor.
    None,
    /// The method is gated: it runs if the gate admits the caller.
    Required(Requirement),
    /// The method runs, and its handler asks the gate for the calls that need a second factor:
    /// [`SignedIn::demand_two_factor`](crate::SignedIn::demand_two_factor).
    OnDemand(Requirement),
}

/// What the gate requires for a method. Each option makes it stricter, except
/// [`disable_password_fallback`](Self::disable_password_fallback).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    password_fallback_disabled: bool,
    remember_me_disabled: bool,
    second_factor_required: bool,
    instead: Instead,
    max_age: Option<Duration>,
}

/// What counts instead of a second factor for users who have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Instead {
    recent_login: bool,
    new_account: bool,
}

/// A policy in a registration: a [`TwoFactor`] or a [`Requirement`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a two-factor policy",
    label = "not a policy",
    note = "a method states its policy between its name and its handler",
    note = "a policy is `TwoFactor::none()`, or `TwoFactor::required()` with its options"
)]
pub trait Policy {
    /// Returns the policy.
    fn into_two_factor(self) -> TwoFactor;
}

impl TwoFactor {
    /// Returns the policy of a method that needs no second factor.
    #[must_use]
    pub const fn none() -> Self {
        Self::None
    }

    /// Returns the policy of a method that needs a second factor, with default options: users without a factor show their
    /// password, and trusted clients and bypass tokens are admitted. The methods of [`Requirement`] change the options.
    ///
    /// As in Rocket.Chat, a user without a factor is not asked for the password in the first minutes after the user was
    /// created, unless the policy is strict ([`require_second_factor`](Requirement::require_second_factor)). The setting
    /// `Accounts_TwoFactorAuthentication_RememberFor` is that time, and the time for which a client is trusted. In tests,
    /// set it to 0.
    #[must_use]
    pub const fn required() -> Requirement {
        Requirement {
            password_fallback_disabled: false,
            remember_me_disabled: false,
            second_factor_required: false,
            instead: Instead { recent_login: false, new_account: false },
            max_age: None,
        }
    }

    /// Returns the policy of a method that changes what protects an account: a factor, the password, the address, a
    /// token. Every caller shows a factor in this call; a user without a factor shows the password, and a user who has
    /// neither must have logged in within the last ten minutes. Trusted clients and bypass tokens are asked too.
    #[must_use]
    pub const fn fresh_proof() -> Requirement {
        Self::required().disable_remember_me().require_second_factor().accept_recent_login()
    }

    /// Returns whether the gate is asked before every call.
    #[must_use]
    pub const fn is_gated(&self) -> bool {
        matches!(self, Self::Required(_))
    }

    /// Returns whether the handler decides for which calls the gate is asked.
    #[must_use]
    pub const fn is_on_demand(&self) -> bool {
        matches!(self, Self::OnDemand(_))
    }

    /// Returns what the gate requires. `None` if it is never asked.
    #[must_use]
    pub const fn requirement(&self) -> Option<Requirement> {
        match self {
            Self::None => None,
            Self::Required(requirement) | Self::OnDemand(requirement) => Some(*requirement),
        }
    }
}

/// Describes the policy in words, for lists.
impl fmt::Display for TwoFactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(requirement) = self.requirement() else { return formatter.write_str("open") };
        formatter.write_str(if self.is_on_demand() { "second factor for some calls" } else { "second factor" })?;
        let options = [
            (requirement.second_factor_required, ", no exemptions"),
            (requirement.remember_me_disabled, ", no remember-me"),
            (requirement.password_fallback_disabled, ", no password fallback"),
        ];
        for (_, words) in options.into_iter().filter(|(is_set, _)| *is_set) {
            formatter.write_str(words)?;
        }
        match requirement.max_age {
            Some(age) => write!(formatter, ", trusts for {} s at most", age.as_secs()),
            None => Ok(()),
        }
    }
}

impl From<Requirement> for TwoFactor {
    fn from(requirement: Requirement) -> Self {
        Self::Required(requirement)
    }
}

impl Instead {
    /// Returns whether this accepts all that `other` accepts.
    const fn covers(self, other: Self) -> bool {
        (self.recent_login || !other.recent_login) && (self.new_account || !other.new_account)
    }
}

impl Policy for TwoFactor {
    fn into_two_factor(self) -> TwoFactor {
        self
    }
}

impl Policy for Requirement {
    fn into_two_factor(self) -> TwoFactor {
        self.into()
    }
}

impl Requirement {
    /// Admits users who have neither an authenticator app nor e-mail codes. By default they are asked for the password.
    #[must_use]
    pub const fn disable_password_fallback(mut self) -> Self {
        self.password_fallback_disabled = true;
        self
    }

    /// Asks trusted clients as well (those that passed a short time ago).
    #[must_use]
    pub const fn disable_remember_me(mut self) -> Self {
        self.remember_me_disabled = true;
        self
    }

    /// Asks every caller, also trusted clients and callers with a bypass token.
    #[must_use]
    pub const fn require_second_factor(mut self) -> Self {
        self.second_factor_required = true;
        self
    }

    /// Admits users who have neither a second factor nor a password, if they have logged in within the last ten minutes.
    /// Without this option, such users never meet [`require_second_factor`](Self::require_second_factor).
    #[must_use]
    pub const fn accept_recent_login(mut self) -> Self {
        self.instead.recent_login = true;
        self
    }

    /// Admits users without a second factor who have signed up a moment ago, in the login that this began: as long as the
    /// settings let a client be trusted, and ten minutes at most. They have just chosen their password.
    #[must_use]
    pub const fn accept_new_account(mut self) -> Self {
        self.instead.new_account = true;
        self
    }

    /// Limits the time for which a client is trusted, even if the settings allow longer.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Asks the gate only for calls for which the handler [demands](crate::SignedIn::demand_two_factor) it: for a method
    /// that changes harmless and sensitive data.
    #[must_use]
    pub const fn on_demand(self) -> TwoFactor {
        TwoFactor::OnDemand(self)
    }

    /// Returns whether users without another factor are admitted without their password.
    #[must_use]
    pub const fn is_password_fallback_disabled(&self) -> bool {
        self.password_fallback_disabled
    }

    /// Returns whether trusted clients are asked.
    #[must_use]
    pub const fn is_remember_me_disabled(&self) -> bool {
        self.remember_me_disabled
    }

    /// Returns whether trusted clients and bypass tokens are asked.
    #[must_use]
    pub const fn is_second_factor_required(&self) -> bool {
        self.second_factor_required
    }

    /// Returns whether a recent login is accepted from users who have neither a second factor nor a password.
    #[must_use]
    pub const fn is_recent_login_accepted(&self) -> bool {
        self.instead.recent_login
    }

    /// Returns whether users without a second factor are admitted in the first minutes after they have signed up.
    #[must_use]
    pub const fn is_new_account_accepted(&self) -> bool {
        self.instead.new_account
    }

    /// Returns whether a caller who has met this requirement has met `other` as well.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let asks_all = self.second_factor_required;
        let asks_trusted = asks_all || self.remember_me_disabled;
        if other.second_factor_required {
            return asks_all && other.instead.covers(self.instead);
        }
        let is_as_fresh =
            asks_trusted || other.max_age.is_none_or(|limit| self.max_age.is_some_and(|own| own <= limit));
        let asks_for_password = asks_all || !self.password_fallback_disabled;
        (asks_trusted || !other.remember_me_disabled)
            && (asks_for_password || other.password_fallback_disabled)
            && is_as_fresh
    }

    /// Returns the maximum time for which a client is trusted. `None` if only the settings limit it.
    #[must_use]
    pub const fn maximum_age(&self) -> Option<Duration> {
        self.max_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_covers_itself_and_what_demands_less() {
        let (usual, login) = (TwoFactor::required(), TwoFactor::required().disable_password_fallback());
        let no_trust = usual.disable_remember_me();
        let strict = usual.require_second_factor();
        let fresh = TwoFactor::fresh_proof();
        let first = fresh.accept_new_account();
        let (minute, hour) = (usual.max_age(Duration::from_mins(1)), usual.max_age(Duration::from_hours(1)));
        let covers = [
            (usual, vec![usual, login]),
            (login, vec![login]),
            (no_trust, vec![usual, login, no_trust, minute, hour]),
            (strict, vec![usual, login, no_trust, strict, fresh, first, minute, hour]),
            (fresh, vec![usual, login, no_trust, fresh, first, minute, hour]),
            (first, vec![usual, login, no_trust, first, minute, hour]),
            (minute, vec![usual, login, minute, hour]),
            (hour, vec![usual, login, hour]),
        ];
        for (met, expected) in &covers {
            for (other, _) in &covers {
                assert_eq!(met.covers(other), expected.contains(other), "{met:?} {other:?}");
            }
        }
    }
}
