//! The settings that Bolide itself reads, under Rocket.Chat's ids where it has them.

use super::{Range, Setting, SettingDefinition};

const ACCOUNTS: &str = "Accounts";
const TWO_FACTOR: &str = "Accounts: two-factor authentication";
const FAILED_LOGINS: &str = "Accounts: failed logins";
const PASSWORDS: &str = "Accounts: passwords";
const REST: &str = "REST";
const WEB: &str = "Web pages";

const fn up_to(to: i64) -> Range {
    Range { from: 0, to }
}

const fn from_one_to(to: i64) -> Range {
    Range { from: 1, to }
}

/// Whether second factors are required.
pub const TWO_FACTOR_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Enabled",
    TWO_FACTOR,
    "Require a second factor where a method asks for one. If this is off, second factors are never required.",
    true,
)
.public()
.protecting();

/// Whether users can set up an authenticator app.
pub const TOTP_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_TOTP_Enabled",
    TWO_FACTOR,
    "Let users set up an authenticator app.",
    true,
)
.public()
.protecting();

/// The maximum number of time steps by which a code may be early or late.
pub const TOTP_MAX_DELTA: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_MaxDelta",
    TWO_FACTOR,
    "The maximum deviation of an authenticator app's clock in both directions, in steps of 30 seconds.",
    1,
    up_to(10),
)
.protecting();

/// Whether users can register passkeys.
pub const PASSKEYS_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_Passkey_Enabled",
    TWO_FACTOR,
    "Let users register passkeys and security keys as second factors.",
    true,
)
.public()
.protecting();

/// Whether a passkey is enough to log in.
pub const PASSKEY_LOGIN: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Passkey_Login",
    TWO_FACTOR,
    "Let users log in with a passkey alone, without their password. The passkey must verify the user, for example by a PIN or a face, and counts as both factors.",
    true,
)
.public()
.protecting();

/// Whether users can receive codes by e-mail.
pub const EMAIL_CODES_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_Email_Enabled",
    TWO_FACTOR,
    "Let users receive codes at their verified e-mail addresses.",
    true,
)
.public()
.protecting();

/// Whether users who log in through another service can receive codes by e-mail.
pub const EMAIL_CODES_FOR_OAUTH_USERS: Setting<bool> = Setting::boolean(
    "Accounts_twoFactorAuthentication_email_available_for_OAuth_users",
    TWO_FACTOR,
    "Let users who log in through another service receive codes by e-mail.",
    true,
)
.public()
.protecting();

/// Whether codes by e-mail are turned on for new users.
pub const EMAIL_CODES_AUTO_OPT_IN: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In",
    TWO_FACTOR,
    "Turn codes by e-mail on for new users.",
    true,
)
.protecting();

/// How long a code by e-mail is valid, in seconds.
pub const EMAIL_CODE_EXPIRATION: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_By_Email_Code_Expiration",
    TWO_FACTOR,
    "How long a code by e-mail is valid, in seconds.",
    3600,
    Range { from: 30, to: 86_400 },
)
.protecting();

/// The number of wrong codes after which a code by e-mail becomes invalid.
pub const EMAIL_CODE_ATTEMPTS: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_Max_Invalid_Email_Code_Attempts",
    TWO_FACTOR,
    "The number of wrong codes after which a code by e-mail becomes invalid.",
    5,
    from_one_to(100),
)
.protecting();

/// How long a client is trusted after it has passed a second factor, in seconds.
pub const REMEMBER_FOR: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_RememberFor",
    TWO_FACTOR,
    "How long a client is not asked again after it has passed a second factor, and a new user without a factor is not asked for the password, in seconds. 0 asks every time.",
    300,
    up_to(31_536_000),
)
.protecting();

/// Whether users without a second factor are asked for their password instead.
pub const PASSWORD_FALLBACK: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Enforce_Password_Fallback",
    TWO_FACTOR,
    "Ask users who have no second factor for their password instead.",
    true,
)
.public()
.protecting();

/// Whether personal access tokens can bypass the second factor.
pub const TOKENS_MAY_BYPASS: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Tokens_May_Bypass",
    TWO_FACTOR,
    "Let users create personal access tokens that bypass the second factor. If this is off, existing ones do not bypass it.",
    true,
)
.public()
.protecting();

/// Whether failed logins block.
pub const BLOCK_FAILED_LOGINS: Setting<bool> = Setting::boolean(
    "Block_Multiple_Failed_Logins_Enabled",
    FAILED_LOGINS,
    "Block logins for a while after many failed ones.",
    true,
)
.protecting();

/// Whether failed logins of a user block the user.
pub const BLOCK_BY_USER: Setting<bool> = Setting::boolean(
    "Block_Multiple_Failed_Logins_By_User",
    FAILED_LOGINS,
    "Count the failed logins of each user.",
    true,
)
.protecting();

/// Whether failed logins from an address block the address.
pub const BLOCK_BY_ADDRESS: Setting<bool> = Setting::boolean(
    "Block_Multiple_Failed_Logins_By_Ip",
    FAILED_LOGINS,
    "Count the failed logins from each address.",
    true,
)
.protecting();

/// The number of failed logins that blocks a user.
pub const ATTEMPTS_UNTIL_BLOCK_BY_USER: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Attempts_Until_Block_by_User",
    FAILED_LOGINS,
    "The number of failed logins after which a user is blocked.",
    10,
    from_one_to(10_000),
)
.protecting();

/// How long a user is blocked, in minutes.
pub const MINUTES_TO_UNBLOCK_USER: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Time_To_Unblock_By_User_In_Minutes",
    FAILED_LOGINS,
    "How long a user is blocked, in minutes.",
    5,
    from_one_to(525_600),
)
.protecting();

/// The number of failed logins that blocks an address.
pub const ATTEMPTS_UNTIL_BLOCK_BY_ADDRESS: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Attempts_Until_Block_By_Ip",
    FAILED_LOGINS,
    "The number of failed logins after which an address is blocked.",
    50,
    from_one_to(100_000),
)
.protecting();

/// How long an address is blocked, in minutes.
pub const MINUTES_TO_UNBLOCK_ADDRESS: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Time_To_Unblock_By_Ip_In_Minutes",
    FAILED_LOGINS,
    "How long an address is blocked, in minutes.",
    5,
    from_one_to(525_600),
)
.protecting();

/// Addresses that are never blocked.
pub const ADDRESSES_NEVER_BLOCKED: Setting<String> = Setting::text(
    "Block_Multiple_Failed_Logins_Ip_Whitelist",
    FAILED_LOGINS,
    "Addresses that are never blocked, separated by commas.",
    "",
)
.protecting();

/// Whether new passwords must meet a policy.
pub const PASSWORD_POLICY: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_Enabled",
    PASSWORDS,
    "Require new passwords to meet the policy below. Clients that send only a digest of the password can be checked for \
     common passwords alone.",
    true,
)
.public()
.protecting();

/// The minimum length of a new password.
pub const PASSWORD_MIN: Setting<i64> = Setting::integer(
    "Accounts_Password_Policy_MinLength",
    PASSWORDS,
    "The minimum length of a new password, in characters. -1 allows any.",
    8,
    Range { from: -1, to: 256 },
)
.public()
.protecting();

/// The maximum length of a new password.
pub const PASSWORD_MAX: Setting<i64> = Setting::integer(
    "Accounts_Password_Policy_MaxLength",
    PASSWORDS,
    "The maximum length of a new password, in characters. -1 allows up to 256.",
    -1,
    Range { from: -1, to: 256 },
)
.public()
.protecting();

/// Whether new passwords must not repeat characters.
pub const FORBID_REPEATING_CHARACTERS: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_ForbidRepeatingCharacters",
    PASSWORDS,
    "Reject new passwords that repeat a character too often in a row.",
    false,
)
.protecting();

/// How often a character may stand in a row.
pub const REPEATING_CHARACTERS: Setting<i64> = Setting::integer(
    "Accounts_Password_Policy_ForbidRepeatingCharactersCount",
    PASSWORDS,
    "The maximum number of times that the same character may stand in a row.",
    3,
    from_one_to(256),
)
.protecting();

/// Whether new passwords must contain a lower-case letter.
pub const PASSWORD_LOWERCASE: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_AtLeastOneLowercase",
    PASSWORDS,
    "Require a lower-case letter in new passwords.",
    false,
)
.protecting();

/// Whether new passwords must contain an upper-case letter.
pub const PASSWORD_UPPERCASE: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_AtLeastOneUppercase",
    PASSWORDS,
    "Require an upper-case letter in new passwords.",
    false,
)
.protecting();

/// Whether new passwords must contain a digit.
pub const PASSWORD_NUMBER: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_AtLeastOneNumber",
    PASSWORDS,
    "Require a digit in new passwords.",
    false,
)
.protecting();

/// Whether new passwords must contain a special character.
pub const PASSWORD_SPECIAL: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_AtLeastOneSpecialCharacter",
    PASSWORDS,
    "Require a character other than letters, digits and spaces in new passwords.",
    false,
)
.protecting();

/// Whether common passwords are rejected.
pub const FORBID_COMMON_PASSWORDS: Setting<bool> = Setting::boolean(
    "Accounts_Password_Policy_ForbidCommonPasswords",
    PASSWORDS,
    "Reject new passwords that are common or easily guessed.",
    true,
)
.protecting();

/// Whether anyone may create an account.
pub const SIGN_UP: Setting<bool> = Setting::boolean(
    "Accounts_Registration_Enabled",
    ACCOUNTS,
    "Let anyone create an account. If this is off, only admins can.",
    true,
)
.public();

/// Whether users may change the name that is shown to others.
pub const NAME_CHANGE: Setting<bool> = Setting::boolean(
    "Accounts_AllowRealNameChange",
    ACCOUNTS,
    "Let users change the name that is shown to others.",
    true,
)
.public();

/// Whether users may change their username.
pub const USERNAME_CHANGE: Setting<bool> = Setting::boolean(
    "Accounts_AllowUsernameChange",
    ACCOUNTS,
    "Let users change their username. A user without one can always choose one.",
    true,
)
.public();

/// Whether users may change their address.
pub const EMAIL_CHANGE: Setting<bool> =
    Setting::boolean("Accounts_AllowEmailChange", ACCOUNTS, "Let users change their e-mail address.", true).public();

/// Whether users may change their password.
pub const PASSWORD_CHANGE: Setting<bool> =
    Setting::boolean("Accounts_AllowPasswordChange", ACCOUNTS, "Let users change their password.", true).public();

/// Whether users may request a link to reset their password.
pub const PASSWORD_RESET: Setting<bool> =
    Setting::boolean("Accounts_PasswordReset", ACCOUNTS, "Let users request a link to reset their password.", true)
        .public();

/// The regular expression that new usernames must match.
pub const USERNAME_PATTERN: Setting<String> = Setting::pattern(
    "UTF8_User_Names_Validation",
    ACCOUNTS,
    "The regular expression that new usernames must match as a whole. Names with letters of other alphabets, if it allows \
     them, must not look like other names.",
    "[0-9a-zA-Z-_.]+",
)
.public();

/// The usernames that users cannot choose.
pub const RESERVED_USERNAMES: Setting<String> = Setting::text(
    "Accounts_SystemBlockedUsernameList",
    ACCOUNTS,
    "Usernames that users cannot choose, separated by commas. Operators can give them to users.",
    "admin,administrator,system,user,all,here",
);

/// How long a login is valid, in days.
pub const LOGIN_EXPIRATION: Setting<i64> = Setting::integer(
    "Accounts_LoginExpiration",
    ACCOUNTS,
    "How long a login is valid, in days.",
    90,
    from_one_to(36_500),
)
.public();

/// Whether new users are sent a link that verifies their address.
pub const VERIFICATION_MAIL: Setting<bool> = Setting::boolean(
    "Accounts_SendVerificationEmail",
    ACCOUNTS,
    "Send users who sign up with an address a link that verifies it.",
    false,
)
.public();

/// The roles whose logins are shorter.
pub const SHORT_LOGIN_ROLES: Setting<String> = Setting::text(
    "Accounts_LoginExpiration_Short_Roles",
    ACCOUNTS,
    "The roles whose logins are valid for a shorter time, separated by commas. A login that exists keeps its end.",
    "",
);

/// How long a login of a user with one of these roles is valid, in hours.
pub const SHORT_LOGIN_EXPIRATION: Setting<i64> = Setting::integer(
    "Accounts_LoginExpiration_Short",
    ACCOUNTS,
    "How long a login of a user with one of these roles is valid, in hours.",
    12,
    from_one_to(876_000),
);

/// Whether users are told by e-mail of changes of what protects their accounts.
pub const SECURITY_NOTICES: Setting<bool> = Setting::boolean(
    "Accounts_Security_Notices",
    ACCOUNTS,
    "Tell users by e-mail of each new or removed factor, access token, password and address, and of logins by new clients.",
    true,
)
.protecting();

/// How long the audit log is kept, in days.
pub const AUDIT_DAYS: Setting<i64> =
    Setting::integer("Audit_Log_Days", ACCOUNTS, "How long the audit log is kept, in days.", 365, from_one_to(36_500))
        .protecting();

/// The maximum number of entries of the audit log.
pub const AUDIT_ENTRIES: Setting<i64> = Setting::integer(
    "Audit_Log_Max_Entries",
    ACCOUNTS,
    "The maximum number of entries of the audit log. When there are more, the oldest are deleted.",
    1_000_000,
    Range { from: 100, to: 1_000_000_000 },
)
.protecting();

/// Roles whose users must have a second factor.
pub const MANDATORY_ROLES: Setting<String> = Setting::text(
    "Accounts_TwoFactorAuthentication_Mandatory_Roles",
    TWO_FACTOR,
    "Roles whose users must have a second factor, separated by commas. Until they set one up, they cannot do anything else.",
    "",
)
.protecting();

/// Whether a failed `method.call` is answered with status 200.
pub const METHOD_CALL_ERRORS_WITH_200: Setting<bool> = Setting::boolean(
    "API_Method_Call_Errors_With_200",
    REST,
    "Answer a failed method.call with status 200, for clients older than Rocket.Chat 8. If this is off, the status is 400.",
    false,
);

/// Whether the path of a `method.call` must name the method of its body.
pub const METHOD_CALL_PATH_MUST_MATCH: Setting<bool> = Setting::boolean(
    "API_Method_Call_Path_Must_Match",
    REST,
    "Reject a method.call whose path names another method than its body. If this is off, the body counts, and it is logged.",
    false,
);

/// Whether the rate of REST requests is limited.
pub const REST_RATE_LIMIT: Setting<bool> = Setting::boolean(
    "API_Enable_Rate_Limiter",
    REST,
    "Limit the rate of requests from an address to a REST endpoint.",
    true,
);

/// The maximum number of REST requests in a window.
pub const REST_RATE_LIMIT_CALLS: Setting<i64> = Setting::integer(
    "API_Enable_Rate_Limiter_Limit_Calls_Default",
    REST,
    "The maximum number of requests from an address to a REST endpoint in a window, unless the endpoint has its own limit.",
    10,
    from_one_to(1_000_000),
);

/// The length of a window, in milliseconds.
pub const REST_RATE_LIMIT_WINDOW: Setting<i64> = Setting::integer(
    "API_Enable_Rate_Limiter_Limit_Time_Default",
    REST,
    "The length of a window, in milliseconds.",
    60_000,
    from_one_to(86_400_000),
);

/// The maximum number of REST requests of a user in a window.
pub const REST_RATE_LIMIT_USER_CALLS: Setting<i64> = Setting::integer(
    "API_Enable_Rate_Limiter_Limit_Calls_User",
    REST,
    "The maximum number of requests of a user in a window, to all REST endpoints and from all addresses together.",
    600,
    from_one_to(1_000_000),
);

/// Whether web pages of other sites may use the REST API.
pub const CORS_ENABLED: Setting<bool> = Setting::boolean(
    "API_Enable_CORS",
    REST,
    "Let web pages of other sites use the REST API. API_CORS_Origin lists the sites.",
    false,
);

/// The sites whose web pages may use the REST API.
pub const CORS_ORIGINS: Setting<String> = Setting::text(
    "API_CORS_Origin",
    REST,
    "Sites whose pages may use the REST API, such as https://example.com, separated by commas. * means all sites.",
    "*",
);

/// Whether the web pages are served.
pub const WEB_PAGES: Setting<bool> = Setting::boolean(
    "Web_Pages_Enabled",
    WEB,
    "Serve the account page and this panel. To turn them on again, run `bolide call URL saveSetting`.",
    true,
);

pub(crate) fn all() -> Vec<SettingDefinition> {
    let booleans = [
        TWO_FACTOR_ENABLED,
        TOTP_ENABLED,
        PASSKEYS_ENABLED,
        PASSKEY_LOGIN,
        EMAIL_CODES_ENABLED,
        EMAIL_CODES_FOR_OAUTH_USERS,
        EMAIL_CODES_AUTO_OPT_IN,
        PASSWORD_FALLBACK,
        TOKENS_MAY_BYPASS,
        BLOCK_FAILED_LOGINS,
        BLOCK_BY_USER,
        BLOCK_BY_ADDRESS,
        SIGN_UP,
        VERIFICATION_MAIL,
        NAME_CHANGE,
        USERNAME_CHANGE,
        EMAIL_CHANGE,
        PASSWORD_CHANGE,
        PASSWORD_RESET,
        SECURITY_NOTICES,
        PASSWORD_POLICY,
        FORBID_REPEATING_CHARACTERS,
        PASSWORD_LOWERCASE,
        PASSWORD_UPPERCASE,
        PASSWORD_NUMBER,
        PASSWORD_SPECIAL,
        FORBID_COMMON_PASSWORDS,
        METHOD_CALL_ERRORS_WITH_200,
        METHOD_CALL_PATH_MUST_MATCH,
        REST_RATE_LIMIT,
        CORS_ENABLED,
        WEB_PAGES,
    ];
    let integers = [
        TOTP_MAX_DELTA,
        EMAIL_CODE_EXPIRATION,
        EMAIL_CODE_ATTEMPTS,
        REMEMBER_FOR,
        ATTEMPTS_UNTIL_BLOCK_BY_USER,
        MINUTES_TO_UNBLOCK_USER,
        ATTEMPTS_UNTIL_BLOCK_BY_ADDRESS,
        MINUTES_TO_UNBLOCK_ADDRESS,
        LOGIN_EXPIRATION,
        SHORT_LOGIN_EXPIRATION,
        AUDIT_DAYS,
        AUDIT_ENTRIES,
        PASSWORD_MIN,
        PASSWORD_MAX,
        REPEATING_CHARACTERS,
        REST_RATE_LIMIT_CALLS,
        REST_RATE_LIMIT_WINDOW,
        REST_RATE_LIMIT_USER_CALLS,
    ];
    let texts = [
        MANDATORY_ROLES,
        ADDRESSES_NEVER_BLOCKED,
        CORS_ORIGINS,
        USERNAME_PATTERN,
        RESERVED_USERNAMES,
        SHORT_LOGIN_ROLES,
    ];
    let booleans = booleans.iter().map(Setting::definition);
    let integers = integers.iter().map(Setting::definition);
    let texts = texts.iter().map(Setting::definition);
    booleans.chain(integers).chain(texts).collect()
}

#[cfg(test)]
mod tests {
    use super::{FAILED_LOGINS, SettingDefinition, TWO_FACTOR, all};

    #[test]
    fn every_setting_about_second_factors_and_failed_logins_is_protecting() {
        let is_about = |definition: &&SettingDefinition| [TWO_FACTOR, FAILED_LOGINS].contains(&definition.group());
        for definition in all().iter().filter(is_about) {
            assert!(definition.is_protecting(), "{}", definition.id());
        }
    }

    #[test]
    fn the_password_policy_and_the_bounds_of_the_audit_log_are_protecting() {
        let is_about = |definition: &&SettingDefinition| {
            ["Accounts_Password_Policy_", "Audit_Log_"].iter().any(|prefix| definition.id().starts_with(prefix))
        };
        assert_eq!(all().iter().filter(is_about).count(), 12);
        for definition in all().iter().filter(is_about) {
            assert!(definition.is_protecting(), "{}", definition.id());
        }
    }
}
