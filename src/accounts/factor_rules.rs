//! [`FactorRules`]: which second factors of a user count, and who must have one. Pure functions of the settings and the
//! user; how a factor is shown is the business of the room `two_factor`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::settings::{
    EMAIL_CODES_ENABLED, EMAIL_CODES_FOR_OAUTH_USERS, MANDATORY_ROLES, PASSKEYS_ENABLED, Settings, TOTP_ENABLED,
    TWO_FACTOR_ENABLED,
};
use crate::store::{Totp, User};

/// Which factors count, as the settings say now.
pub(crate) struct FactorRules {
    settings: Settings,
    /// Whether the site has a domain to which passkeys can belong.
    has_domain: bool,
    /// Whether any role demands a factor, in the lowest bit, and the revision of the settings that says so: it is read
    /// at every call.
    roles_demand_factor: AtomicU64,
}

impl FactorRules {
    pub(super) const fn new(settings: Settings, has_domain: bool) -> Self {
        Self { settings, has_domain, roles_demand_factor: AtomicU64::new(0) }
    }

    /// Returns whether the user has a second factor that counts.
    pub(crate) fn has_factor(&self, user: &User) -> bool {
        let has_any = self.has_totp(user) || self.has_passkey(user) || self.has_email_codes(user);
        has_any && self.settings.get(&TWO_FACTOR_ENABLED)
    }

    /// Returns whether the user has a passkey, and the settings allow passkeys.
    pub(crate) fn has_passkey(&self, user: &User) -> bool {
        user.passkeys > 0 && self.settings.get(&PASSKEYS_ENABLED)
    }

    /// Returns whether the user has an authenticator app, and the settings allow it.
    pub(crate) fn has_totp(&self, user: &User) -> bool {
        self.settings.get(&TOTP_ENABLED) && matches!(user.totp, Totp::On(_))
    }

    /// Returns whether codes can be sent to the user by mail, and the settings allow it.
    pub(crate) fn has_email_codes(&self, user: &User) -> bool {
        let is_foreign = user.password.is_none() && user.fields.contains_key("services");
        self.settings.get(&EMAIL_CODES_ENABLED)
            && user.can_receive_codes()
            && (!is_foreign || self.settings.get(&EMAIL_CODES_FOR_OAUTH_USERS))
    }

    /// Returns whether there are roles that demand a factor.
    pub(crate) fn roles_demand_factor(&self) -> bool {
        let revision = self.settings.revision() << 1;
        let known = self.roles_demand_factor.load(Ordering::Acquire);
        if known & !1 == revision {
            return known & 1 == 1;
        }
        let demand = self.settings.get(&TWO_FACTOR_ENABLED) && !self.settings.get(&MANDATORY_ROLES).trim().is_empty();
        self.roles_demand_factor.store(revision | u64::from(demand), Ordering::Release);
        demand
    }

    /// Returns the roles that demand a factor.
    pub(crate) fn mandatory_roles(&self) -> Vec<String> {
        let names = self.settings.get(&MANDATORY_ROLES);
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Returns whether users can set any factor up.
    fn can_enrol(&self) -> bool {
        let allows = |setting| self.settings.get(setting);
        allows(&TOTP_ENABLED) || allows(&EMAIL_CODES_ENABLED) || (self.has_domain && allows(&PASSKEYS_ENABLED))
    }

    /// Returns whether this user must set up a factor before anything else. `false` while the settings allow no factor.
    pub(crate) fn must_enrol(&self, user: &User) -> bool {
        self.roles_demand_factor()
            && self.can_enrol()
            && !self.has_factor(user)
            && self.mandatory_roles().iter().any(|role| user.has_role(role))
    }
}
