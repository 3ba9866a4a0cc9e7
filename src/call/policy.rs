//! [`TwoFactor`]: what a method demands before it runs. An argument of every registration, so that no method can be
//! without one.

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
/// assert!(!open.is_gated() && usual.is_gated() && strict.is_gated() && fresh.is_gated());
///
/// // Only some calls of the method: its handler says which, by `SignedIn::demand_two_factor`.
/// let sometimes: TwoFactor = TwoFactor::required().on_demand();
/// assert!(!sometimes.is_gated() && sometimes.requirement().is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TwoFactor {
    /// The method runs without a question.
    None,
    /// The method is gated: it runs when the gate admits the caller.
    Required(Requirement),
    /// The method runs, and its handler demands a second factor for what needs one:
    /// [`SignedIn::demand_two_factor`](crate::SignedIn::demand_two_factor).
    OnDemand(Requirement),
}

/// How a gated method is gated. Each option makes the gate stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    password_fallback_disabled: bool,
    remember_me_disabled: bool,
    second_factor_required: bool,
    max_age: Option<Duration>,
}

/// What can stand for a policy in a registration: a [`TwoFactor`], or what [`TwoFactor::required`] gives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no two-factor policy",
    label = "not a policy",
    note = "a method states its policy between its name and its handler",
    note = "a policy is `TwoFactor::none()`, or `TwoFactor::required()` with its options"
)]
pub trait Policy {
    /// The policy itself.
    fn into_two_factor(self) -> TwoFactor;
}

impl TwoFactor {
    /// No second factor.
    #[must_use]
    pub const fn none() -> Self {
        Self::None
    }

    /// A second factor, with the usual options; the methods of [`Requirement`] make it stricter.
    #[must_use]
    pub const fn required() -> Requirement {
        Requirement {
            password_fallback_disabled: false,
            remember_me_disabled: false,
            second_factor_required: false,
            max_age: None,
        }
    }

    /// Whether the gate is asked before every call.
    #[must_use]
    pub const fn is_gated(&self) -> bool {
        matches!(self, Self::Required(_))
    }

    /// Whether the handler says which calls the gate is asked for.
    #[must_use]
    pub const fn is_on_demand(&self) -> bool {
        matches!(self, Self::OnDemand(_))
    }

    /// What the gate demands, before every call or when the handler says so.
    #[must_use]
    pub const fn requirement(&self) -> Option<Requirement> {
        match self {
            Self::None => None,
            Self::Required(requirement) | Self::OnDemand(requirement) => Some(*requirement),
        }
    }
}

/// In words, for lists.
impl fmt::Display for TwoFactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(requirement) = self.requirement() else { return formatter.write_str("open") };
        formatter.write_str(if self.is_on_demand() { "second factor for some calls" } else { "second factor" })?;
        let options = [
            (requirement.second_factor_required, ", excuses nobody"),
            (requirement.remember_me_disabled, ", asks every time"),
            (requirement.password_fallback_disabled, ", no password instead"),
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
    /// A user without authenticator app and e-mail codes is admitted, instead of being asked for the password.
    #[must_use]
    pub const fn disable_password_fallback(mut self) -> Self {
        self.password_fallback_disabled = true;
        self
    }

    /// A client that passed a moment ago is asked again.
    #[must_use]
    pub const fn disable_remember_me(mut self) -> Self {
        self.remember_me_disabled = true;
        self
    }

    /// Nothing excuses from the question: neither a trusted client nor a token that bypasses the second factor.
    #[must_use]
    pub const fn require_second_factor(mut self) -> Self {
        self.second_factor_required = true;
        self
    }

    /// A client is trusted for this long at most, even where the settings say longer.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Not every call is asked, but those for which the handler
    /// [demands](crate::SignedIn::demand_two_factor) it: a method that changes harmless things and others.
    #[must_use]
    pub const fn on_demand(self) -> TwoFactor {
        TwoFactor::OnDemand(self)
    }

    /// Whether users who have no other factor are not asked for their password.
    #[must_use]
    pub const fn is_password_fallback_disabled(&self) -> bool {
        self.password_fallback_disabled
    }

    /// Whether every call is asked.
    #[must_use]
    pub const fn is_remember_me_disabled(&self) -> bool {
        self.remember_me_disabled
    }

    /// Whether trusted clients and bypass tokens are asked too.
    #[must_use]
    pub const fn is_second_factor_required(&self) -> bool {
        self.second_factor_required
    }

    /// How long a client is trusted at most, if this method says so.
    #[must_use]
    pub const fn maximum_age(&self) -> Option<Duration> {
        self.max_age
    }
}
