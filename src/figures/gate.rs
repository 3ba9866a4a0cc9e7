//! [`GateFigures`]: the decisions about second factors, by their outcome and the factor.

use bolide_protocol::two_factor::TwoFactorMethod;

use super::Count;
use crate::named::named;

named! {
    /// What was decided about a call or login.
    pub(crate) enum GateOutcome {
        /// It was admitted without a factor: none is demanded of this user or client.
        Excused = "excused",
        /// The client was asked for a factor.
        Asked = "asked",
        /// A right factor was shown.
        Passed = "passed",
        /// A wrong one was shown.
        Failed = "failed",
        /// The factor was not checked, because too many before it were wrong.
        Blocked = "blocked",
        /// The user has no factor and must log in again.
        LoginTooOld = "login_too_old",
    }
}

/// The labels of the factors. The first one stands for decisions without a factor.
const FACTORS: [&str; 5] = ["none", "totp", "email", "password", "webauthn"];

#[derive(Default)]
pub(crate) struct GateFigures([[Count; FACTORS.len()]; GateOutcome::ALL.len()]);

/// The number of decisions of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateCount {
    pub(crate) outcome: &'static str,
    pub(crate) factor: &'static str,
    pub(crate) count: u64,
}

impl GateFigures {
    #[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "the gate of accounts decides"))]
    pub(crate) fn count(&self, outcome: GateOutcome, factor: Option<TwoFactorMethod>) {
        let factor = match factor {
            None => 0,
            Some(TwoFactorMethod::Totp) => 1,
            Some(TwoFactorMethod::Email) => 2,
            Some(TwoFactorMethod::Password) => 3,
            Some(TwoFactorMethod::WebAuthn) => 4,
        };
        self.0[outcome as usize][factor].one();
    }

    /// Returns the numbers of those kinds that can be: only what was asked for or shown has a factor.
    pub(crate) fn list(&self) -> impl Iterator<Item = GateCount> {
        GateOutcome::ALL.iter().zip(&self.0).flat_map(|(outcome, counts)| {
            let has_factor = !matches!(outcome, GateOutcome::Excused | GateOutcome::LoginTooOld);
            let outcome = outcome.as_str();
            let fits = move |factor: &str| (factor != "none") == has_factor;
            let kinds = FACTORS.iter().zip(counts).filter(move |(factor, _)| fits(factor));
            kinds.map(move |(factor, count)| GateCount { outcome, factor, count: count.get() })
        })
    }
}
