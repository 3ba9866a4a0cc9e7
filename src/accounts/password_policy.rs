//! [`PasswordPolicy`]: what a new password must be like, with the settings and errors of Rocket.Chat.

use bolide_protocol::DdpError;
use serde::Serialize;

use super::password::{NewPassword, is_common};
use crate::settings::{self, Setting, Settings};

/// Checks new passwords. Of a password that a client sends as a digest, only what a digest shows can be checked.
pub(super) struct PasswordPolicy {
    settings: Settings,
}

/// A requirement that a password does not meet.
#[derive(Serialize)]
struct Reason {
    error: &'static str,
    message: &'static str,
}

impl PasswordPolicy {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone() }
    }

    /// Rejects a password that the policy does not allow.
    ///
    /// # Errors
    /// `error-password-policy-not-met`, with what is not met in the details.
    pub(super) fn check(&self, new: &NewPassword) -> Result<(), DdpError> {
        if !self.settings.get(&settings::PASSWORD_POLICY) {
            return Ok(());
        }
        let mut reasons = new.plain().map(|plain| self.unmet(plain)).unwrap_or_default();
        if self.settings.get(&settings::FORBID_COMMON_PASSWORDS) && is_common(new) {
            reasons.push(Reason {
                error: "error-password-policy-not-met-common",
                message: "The password is common or easily guessed, which is against the password policy.",
            });
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let told = "The password provided does not meet the server's password policy.";
        Err(DdpError::new("error-password-policy-not-met", told).with_details(reasons))
    }

    /// Returns the requirements that a text does not meet.
    fn unmet(&self, plain: &str) -> Vec<Reason> {
        let length = i64::try_from(plain.encode_utf16().count()).unwrap_or(i64::MAX);
        let (shortest, longest) =
            (self.settings.get(&settings::PASSWORD_MIN), self.settings.get(&settings::PASSWORD_MAX));
        let is_on = |setting: &Setting<bool>| self.settings.get(setting);
        let lacks = |setting, wanted: fn(char) -> bool| is_on(setting) && !plain.chars().any(wanted);
        let repeats = is_on(&settings::FORBID_REPEATING_CHARACTERS)
            && longest_run(plain) > self.settings.get(&settings::REPEATING_CHARACTERS);
        let checks = [
            (shortest >= 1 && length < shortest, TOO_SHORT),
            (longest >= 1 && length > longest, TOO_LONG),
            (repeats, REPEATS),
            (lacks(&settings::PASSWORD_LOWERCASE, |c| c.is_ascii_lowercase()), NO_LOWERCASE),
            (lacks(&settings::PASSWORD_UPPERCASE, |c| c.is_ascii_uppercase()), NO_UPPERCASE),
            (lacks(&settings::PASSWORD_NUMBER, |c| c.is_ascii_digit()), NO_NUMBER),
            (lacks(&settings::PASSWORD_SPECIAL, is_special), NO_SPECIAL),
        ];
        checks.into_iter().filter(|(is_unmet, _)| *is_unmet).map(|(_, reason)| reason).collect()
    }
}

const TOO_SHORT: Reason = Reason {
    error: "error-password-policy-not-met-minLength",
    message: "The password does not meet the minimum length password policy.",
};
const TOO_LONG: Reason = Reason {
    error: "error-password-policy-not-met-maxLength",
    message: "The password does not meet the maximum length password policy.",
};
const REPEATS: Reason = Reason {
    error: "error-password-policy-not-met-repeatingCharacters",
    message: "The password contains repeating characters which is against the password policy.",
};
const NO_LOWERCASE: Reason = Reason {
    error: "error-password-policy-not-met-oneLowercase",
    message: "The password does not contain at least one lowercase character which is against the password policy.",
};
const NO_UPPERCASE: Reason = Reason {
    error: "error-password-policy-not-met-oneUppercase",
    message: "The password does not contain at least one uppercase character which is against the password policy.",
};
const NO_NUMBER: Reason = Reason {
    error: "error-password-policy-not-met-oneNumber",
    message: "The password does not contain at least one numerical character which is against the password policy.",
};
const NO_SPECIAL: Reason = Reason {
    error: "error-password-policy-not-met-oneSpecial",
    message: "The password does not contain at least one special character which is against the password policy.",
};

fn is_special(character: char) -> bool {
    !character.is_ascii_alphanumeric() && !character.is_whitespace()
}

/// Returns how often the same character stands in a row, at most.
fn longest_run(plain: &str) -> i64 {
    let mut longest = 0;
    let mut run = (None, 0);
    for character in plain.chars() {
        run = (Some(character), if run.0 == Some(character) { run.1 + 1 } else { 1 });
        longest = longest.max(run.1);
    }
    longest
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(settings: &[(&str, Value)]) -> PasswordPolicy {
        let stored = settings.iter().map(|(id, value)| ((*id).to_owned(), value.to_string()));
        PasswordPolicy::new(&Settings::new([], [], stored.collect::<Vec<_>>()).unwrap())
    }

    /// Returns the names of the requirements that a text does not meet, without what they have in common.
    fn unmet(policy: &PasswordPolicy, plain: &str) -> Vec<String> {
        let Err(error) = policy.check(&NewPassword::from_plain(plain).unwrap()) else { return Vec::new() };
        let error = serde_json::to_value(&error).unwrap();
        assert_eq!(error["error"], "error-password-policy-not-met");
        let name = |reason: &Value| reason["error"].as_str().unwrap().rsplit('-').next().unwrap().to_owned();
        error["details"].as_array().unwrap().iter().map(name).collect()
    }

    #[test]
    fn eight_characters_that_are_not_common_are_required_unless_the_policy_is_off() {
        let default = policy(&[]);
        assert_eq!(unmet(&default, "kV9#tq-"), ["minLength"]);
        assert_eq!(unmet(&default, "pass"), ["minLength", "common"]);
        assert_eq!(unmet(&default, "password1"), ["common"]);
        assert!(unmet(&default, "kV9#tq-2").is_empty());
        assert!(unmet(&policy(&[("Accounts_Password_Policy_Enabled", json!(false))]), "x").is_empty());
    }

    #[test]
    fn each_setting_is_applied() {
        for (setting, value, bad, good, reason) in [
            ("MinLength", json!(12), "kV9#tq-2Lw3", "kV9#tq-2Lw3!", "minLength"),
            ("MaxLength", json!(10), "kV9#tq-2Lw3", "kV9#tq-2Lw", "maxLength"),
            ("ForbidRepeatingCharacters", json!(true), "kV9####tq2Lw", "kV9###tq2Lw", "repeatingCharacters"),
            ("AtLeastOneLowercase", json!(true), "KV9#TQ-2LW", "kV9#tq-2Lw", "oneLowercase"),
            ("AtLeastOneUppercase", json!(true), "kv9#tq-2lw", "kV9#tq-2Lw", "oneUppercase"),
            ("AtLeastOneNumber", json!(true), "kVx#tq-yLw", "kV9#tq-2Lw", "oneNumber"),
            ("AtLeastOneSpecialCharacter", json!(true), "kV9xtq 2Lw", "kV9#tq-2Lw", "oneSpecial"),
        ] {
            let policy = policy(&[(&format!("Accounts_Password_Policy_{setting}"), value)]);
            assert_eq!(unmet(&policy, bad), [reason], "{setting}");
            assert!(unmet(&policy, good).is_empty(), "{setting}");
        }
    }
}
