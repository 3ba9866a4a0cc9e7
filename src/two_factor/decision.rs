//! The decision of the gate, as a pure function from the policy, the settings, the user's factors and the token to *admit* or
//! *ask*.

use bolide_protocol::two_factor::TwoFactorMethod;

use crate::call::Requirement;

/// What the decision depends on.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and the table has a column for it")]
pub(crate) struct Facts {
    /// Whether the settings enable second factors.
    pub(crate) is_enabled: bool,
    pub(crate) has_totp: bool,
    pub(crate) has_email: bool,
    /// Whether the user has a passkey. Then there are backup codes too, which are asked for as codes of an app.
    pub(crate) has_passkey: bool,
    pub(crate) has_password: bool,
    /// Whether the password is accepted from users without another factor.
    pub(crate) allows_password: bool,
    pub(crate) token: TokenFacts,
    /// The factor that the client prefers.
    pub(crate) preferred: Option<TwoFactorMethod>,
}

impl Facts {
    const fn has_factor(&self) -> bool {
        self.has_totp || self.has_email || self.has_passkey
    }

    /// Returns whether the user can show a code of an authenticator app, or a backup code.
    pub(crate) const fn has_codes(&self) -> bool {
        self.has_totp || self.has_passkey
    }
}

/// What the decision needs to know about the login token.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and the table has a column for it")]
pub(crate) struct TokenFacts {
    /// Whether there is a token, and it belongs to the user.
    pub(crate) is_known: bool,
    pub(crate) bypasses: bool,
    /// Whether the client is trusted: it has recently shown a second factor with this token.
    pub(crate) is_trusted: bool,
    /// Whether the user signed up a short time ago.
    pub(crate) is_in_grace: bool,
    /// Whether it is of a login a short time ago.
    pub(crate) is_recent: bool,
    /// Whether it is of a login, and the user signed up a moment ago.
    pub(crate) is_of_new_user: bool,
}

/// What the gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Admit,
    Ask(TwoFactorMethod),
    /// The user has nothing to show, and must log in again.
    AskForLogin,
}

/// Decides in Rocket.Chat's order: whether factors are enabled, whether the token is exempt, which factor the user has.
pub(crate) fn decide(requirement: Requirement, facts: Facts) -> Decision {
    if !facts.is_enabled || is_excused(requirement, facts) {
        return Decision::Admit;
    }
    match factor(requirement, facts) {
        Some(TwoFactorMethod::Password) if !facts.has_password && requirement.is_recent_login_accepted() => {
            if facts.token.is_known && facts.token.is_recent { Decision::Admit } else { Decision::AskForLogin }
        }
        Some(method) => Decision::Ask(method),
        None => Decision::Admit,
    }
}

fn is_excused(requirement: Requirement, facts: Facts) -> bool {
    let token = facts.token;
    let has_factor = facts.has_factor();
    if !token.is_known {
        return false;
    }
    if requirement.is_second_factor_required() {
        return token.is_of_new_user && !has_factor && requirement.is_new_account_accepted();
    }
    token.bypasses || (token.is_in_grace && !has_factor) || (token.is_trusted && !requirement.is_remember_me_disabled())
}

/// Returns the factor to ask for. A preferred factor counts only if the user has it. A passkey must be preferred: clients
/// that do not know it are asked for something else.
fn factor(requirement: Requirement, facts: Facts) -> Option<TwoFactorMethod> {
    match facts.preferred {
        Some(TwoFactorMethod::WebAuthn) if facts.has_passkey => return Some(TwoFactorMethod::WebAuthn),
        Some(TwoFactorMethod::Totp) if facts.has_codes() => return Some(TwoFactorMethod::Totp),
        Some(TwoFactorMethod::Email) if facts.has_email => return Some(TwoFactorMethod::Email),
        _ => {}
    }
    if facts.has_email && !facts.has_totp {
        return Some(TwoFactorMethod::Email);
    }
    if facts.has_codes() {
        return Some(TwoFactorMethod::Totp);
    }
    let may_be_password = !requirement.is_password_fallback_disabled() && facts.allows_password && facts.has_password;
    (requirement.is_second_factor_required() || may_be_password).then_some(TwoFactorMethod::Password)
}

#[cfg(test)]
mod tests {
    use super::Decision::{Admit, Ask, AskForLogin};
    use super::TwoFactorMethod::{Email, Password, Totp, WebAuthn};
    use super::*;
    use crate::call::TwoFactor;

    fn user(has_totp: bool, has_email: bool, has_password: bool) -> Facts {
        Facts { is_enabled: true, has_totp, has_email, has_password, allows_password: true, ..Facts::default() }
    }

    #[test]
    fn each_kind_of_user_is_asked_for_what_the_table_says() {
        let usual = TwoFactor::required();
        let login = TwoFactor::required().disable_password_fallback();
        let strict = TwoFactor::required().require_second_factor();
        let without_fallback = Facts { allows_password: false, ..user(false, false, true) };
        let table = [
            (user(true, false, true), Ask(Totp), Ask(Totp), Ask(Totp)),
            (user(false, true, true), Ask(Email), Ask(Email), Ask(Email)),
            (user(true, true, true), Ask(Totp), Ask(Totp), Ask(Totp)),
            (user(false, false, true), Ask(Password), Admit, Ask(Password)),
            (without_fallback, Admit, Admit, Ask(Password)),
            (user(false, false, false), Admit, Admit, Ask(Password)),
        ];
        for (facts, by_usual, by_login, by_strict) in table {
            assert_eq!(decide(usual, facts), by_usual, "{facts:?}");
            assert_eq!(decide(login, facts), by_login, "{facts:?}");
            assert_eq!(decide(strict, facts), by_strict, "{facts:?}");
        }
    }

    #[test]
    fn a_token_excuses_as_far_as_the_policy_lets_it() {
        let with = |token: TokenFacts| Facts { token, ..user(true, false, true) };
        let known = TokenFacts { is_known: true, ..TokenFacts::default() };
        let bypass = with(TokenFacts { bypasses: true, ..known });
        let trusted = with(TokenFacts { is_trusted: true, ..known });
        let usual = TwoFactor::required();
        assert_eq!(decide(usual, bypass), Admit);
        assert_eq!(decide(usual, trusted), Admit);
        assert_eq!(decide(usual.disable_remember_me(), bypass), Admit);
        assert_eq!(decide(usual.disable_remember_me(), trusted), Ask(Totp));
        assert_eq!(decide(usual.require_second_factor(), bypass), Ask(Totp));
        assert_eq!(decide(usual.require_second_factor(), trusted), Ask(Totp));
    }

    #[test]
    fn the_grace_after_signing_up_is_for_users_without_a_factor() {
        let grace = TokenFacts { is_known: true, is_in_grace: true, ..TokenFacts::default() };
        assert_eq!(decide(TwoFactor::required(), Facts { token: grace, ..user(false, false, true) }), Admit);
        assert_eq!(decide(TwoFactor::required(), Facts { token: grace, ..user(true, false, true) }), Ask(Totp));
    }

    #[test]
    fn users_who_have_nothing_to_show_prove_themselves_by_a_recent_login() {
        let fresh = TwoFactor::fresh_proof();
        let recent = TokenFacts { is_known: true, is_recent: true, ..TokenFacts::default() };
        let nothing = user(false, false, false);
        assert_eq!(decide(fresh, Facts { token: recent, ..nothing }), Admit);
        assert_eq!(decide(fresh, Facts { token: TokenFacts { is_recent: false, ..recent }, ..nothing }), AskForLogin);
        assert_eq!(decide(fresh, Facts { token: TokenFacts { is_known: false, ..recent }, ..nothing }), AskForLogin);
        assert_eq!(decide(fresh, Facts { token: recent, ..user(false, false, true) }), Ask(Password));
        assert_eq!(decide(fresh, Facts { token: recent, ..user(true, false, false) }), Ask(Totp));
        let strict = TwoFactor::required().require_second_factor();
        assert_eq!(decide(strict, Facts { token: recent, ..nothing }), Ask(Password));
    }

    #[test]
    fn new_users_set_up_their_first_factor_in_the_login_that_made_them() {
        let (fresh, first) = (TwoFactor::fresh_proof(), TwoFactor::fresh_proof().accept_new_account());
        let new = TokenFacts { is_known: true, is_of_new_user: true, ..TokenFacts::default() };
        let plain = user(false, false, true);
        assert_eq!(decide(first, Facts { token: new, ..plain }), Admit);
        assert_eq!(decide(fresh, Facts { token: new, ..plain }), Ask(Password));
        let older = TokenFacts { is_of_new_user: false, is_recent: true, is_in_grace: true, ..new };
        for token in [older, TokenFacts { bypasses: true, ..older }, TokenFacts { is_trusted: true, ..older }] {
            assert_eq!(decide(first, Facts { token, ..plain }), Ask(Password));
        }
        assert_eq!(decide(first, Facts { token: new, ..user(false, true, true) }), Ask(Email));
    }

    #[test]
    fn a_client_chooses_only_among_the_factors_that_there_are() {
        let prefer = |facts: Facts, method| decide(TwoFactor::required(), Facts { preferred: Some(method), ..facts });
        assert_eq!(prefer(user(true, true, true), Email), Ask(Email));
        assert_eq!(prefer(user(true, false, true), Email), Ask(Totp));
        assert_eq!(prefer(user(true, false, true), Password), Ask(Totp));
        assert_eq!(prefer(user(false, true, true), Totp), Ask(Email));
    }

    #[test]
    fn clients_that_do_not_know_passkeys_are_asked_for_what_they_know() {
        let usual = TwoFactor::required();
        let strict = TwoFactor::required().require_second_factor();
        let with_passkey = |facts: Facts| Facts { has_passkey: true, ..facts };
        for requirement in [usual, strict, usual.disable_password_fallback()] {
            assert_eq!(decide(requirement, with_passkey(user(true, true, true))), Ask(Totp));
            assert_eq!(decide(requirement, with_passkey(user(false, true, true))), Ask(Email));
            assert_eq!(decide(requirement, with_passkey(user(false, false, true))), Ask(Totp));
            let prefer = |facts: Facts, method| decide(requirement, Facts { preferred: Some(method), ..facts });
            assert_eq!(prefer(with_passkey(user(true, true, true)), WebAuthn), Ask(WebAuthn));
            assert_eq!(prefer(with_passkey(user(false, false, true)), WebAuthn), Ask(WebAuthn));
            assert_eq!(prefer(with_passkey(user(false, false, true)), Password), Ask(Totp));
            assert_eq!(prefer(with_passkey(user(false, true, true)), Totp), Ask(Totp));
            assert_eq!(prefer(user(true, true, true), WebAuthn), Ask(Totp));
        }
        let grace = TokenFacts { is_known: true, is_in_grace: true, is_of_new_user: true, ..TokenFacts::default() };
        let new = Facts { token: grace, ..with_passkey(user(false, false, true)) };
        assert_eq!(decide(usual, new), Ask(Totp), "the grace is for users without a factor");
        assert_eq!(decide(TwoFactor::fresh_proof().accept_new_account(), new), Ask(Totp));
    }

    /// The facts sheet's steps in their order: the first row that applies decides.
    fn by_the_sheet(requirement: Requirement, facts: Facts) -> Decision {
        let token = facts.token;
        let may_be_excused = token.is_known && !requirement.is_second_factor_required();
        let has_factor = facts.has_totp || facts.has_email || facts.has_passkey;
        let is_new = token.is_known && token.is_of_new_user && !has_factor;
        let shows_login =
            requirement.is_second_factor_required() && requirement.is_recent_login_accepted() && !facts.has_password;
        let rows = [
            (!facts.is_enabled, Admit),
            (may_be_excused && token.bypasses, Admit),
            (may_be_excused && token.is_in_grace && !has_factor, Admit),
            (is_new && requirement.is_second_factor_required() && requirement.is_new_account_accepted(), Admit),
            (may_be_excused && !requirement.is_remember_me_disabled() && token.is_trusted, Admit),
            (facts.preferred == Some(WebAuthn) && facts.has_passkey, Ask(WebAuthn)),
            (facts.preferred == Some(Totp) && (facts.has_totp || facts.has_passkey), Ask(Totp)),
            (facts.preferred == Some(Email) && facts.has_email, Ask(Email)),
            (facts.has_totp, Ask(Totp)),
            (facts.has_email, Ask(Email)),
            // By a backup code.
            (facts.has_passkey, Ask(Totp)),
            (shows_login && token.is_known && token.is_recent, Admit),
            (shows_login, AskForLogin),
            (requirement.is_second_factor_required(), Ask(Password)),
            (
                !requirement.is_password_fallback_disabled() && facts.allows_password && facts.has_password,
                Ask(Password),
            ),
        ];
        rows.into_iter().find(|(applies, _)| *applies).map_or(Admit, |(_, decision)| decision)
    }

    fn requirement(bits: u32) -> Requirement {
        let mut requirement = TwoFactor::required();
        if bits & 1 != 0 {
            requirement = requirement.disable_password_fallback();
        }
        if bits & 2 != 0 {
            requirement = requirement.disable_remember_me();
        }
        if bits & 4 != 0 {
            requirement = requirement.require_second_factor();
        }
        if bits & 8 != 0 {
            requirement = requirement.accept_recent_login();
        }
        if bits & 16 != 0 {
            requirement = requirement.accept_new_account();
        }
        requirement
    }

    fn facts(bits: u32, preferred: Option<TwoFactorMethod>) -> Facts {
        let is = |bit: u32| bits >> bit & 1 == 1;
        let (is_in_grace, is_recent, is_of_new_user) = (is(8), is(9), is(10));
        let (is_known, bypasses, is_trusted) = (is(5), is(6), is(7));
        let token = TokenFacts { is_known, bypasses, is_trusted, is_in_grace, is_recent, is_of_new_user };
        Facts {
            is_enabled: is(0),
            has_totp: is(1),
            has_email: is(2),
            has_password: is(3),
            allows_password: is(4),
            has_passkey: is(11),
            token,
            preferred,
        }
    }

    #[test]
    fn the_whole_matrix_is_decided_as_the_steps_say() {
        let mut asked = 0;
        for policy in 0..32 {
            for bits in 0..4096 {
                for preferred in [None, Some(Totp), Some(Email), Some(Password), Some(WebAuthn)] {
                    let (requirement, facts) = (requirement(policy), facts(bits, preferred));
                    let decision = decide(requirement, facts);
                    assert_eq!(decision, by_the_sheet(requirement, facts), "{requirement:?} {facts:?}");
                    asked += usize::from(decision != Admit);
                }
            }
        }
        assert!(asked > 160_000, "only {asked} of 655360 were asked");
    }

    #[test]
    fn no_token_excuses_from_what_requires_a_second_factor_nor_does_an_unknown_one_from_anything() {
        for bits in (0..4096).filter(|bits| bits & 1 == 1) {
            let strict = decide(requirement(4), facts(bits, None));
            assert_ne!(strict, Admit, "{bits:b}");
            let unknown = facts(bits & !(1 << 5), None);
            let without = Facts { token: TokenFacts::default(), ..unknown };
            for policy in 0..32 {
                assert_eq!(decide(requirement(policy), unknown), decide(requirement(policy), without), "{bits:b}");
            }
        }
    }

    #[test]
    fn nobody_is_asked_when_it_is_turned_off() {
        let off = Facts { is_enabled: false, ..user(true, true, true) };
        assert_eq!(decide(TwoFactor::required().require_second_factor(), off), Admit);
    }
}
