//! Roles that demand a second factor: their users can do nothing but set one up, until they have one. The dispatcher asks
//! before every call of a client's.

use std::sync::atomic::{AtomicU64, Ordering};

use bolide_protocol::DdpError;

use crate::accounts::AccountsCore;
use crate::call::{AccessRequest, MethodResult};
use crate::settings::{EMAIL_CODES_ENABLED, MANDATORY_ROLES, Settings, TOTP_ENABLED, TWO_FACTOR_ENABLED};
use crate::store::User;

/// Whether any role demands a factor, as of a revision of the settings: asked at every call.
#[derive(Default)]
pub(crate) struct EnrolmentRule {
    /// The revision, and in the lowest bit the answer.
    known: AtomicU64,
}

impl EnrolmentRule {
    fn is_in_force(&self, settings: &Settings) -> bool {
        let revision = settings.revision() << 1;
        let known = self.known.load(Ordering::Acquire);
        if known & !1 == revision {
            return known & 1 == 1;
        }
        let is_in_force = settings.get(&TWO_FACTOR_ENABLED) && !settings.get(&MANDATORY_ROLES).trim().is_empty();
        self.known.store(revision | u64::from(is_in_force), Ordering::Release);
        is_in_force
    }
}

impl AccountsCore {
    /// Whether there are roles that demand a factor.
    pub(crate) fn roles_demand_factor(&self) -> bool {
        self.enrolment.is_in_force(&self.settings)
    }

    /// The roles that demand a factor.
    pub(crate) fn mandatory_roles(&self) -> Vec<String> {
        let names = self.settings.get(&MANDATORY_ROLES);
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Whether this user must set up a factor first. Nobody must who cannot, since the settings allow no factor.
    pub(crate) fn must_enrol(&self, user: &User) -> bool {
        self.roles_demand_factor()
            && (self.settings.get(&TOTP_ENABLED) || self.settings.get(&EMAIL_CODES_ENABLED))
            && !self.has_second_factor(user)
            && self.mandatory_roles().iter().any(|role| user.has_role(role))
    }

    pub(crate) async fn check_access(&self, request: AccessRequest<'_>) -> MethodResult<()> {
        if request.open_to_enrolment {
            return Ok(());
        }
        match self.store.user(request.user).await? {
            Some(user) if self.must_enrol(&user) => Err(DdpError::new(
                "error-two-factor-enrolment-required",
                "Your role demands a second factor. Set one up first",
            )
            .into()),
            _ => Ok(()),
        }
    }
}
