//! The settings that Bolide itself reads, under Rocket.Chat's ids where it has them.

use super::{Range, Setting, SettingDefinition};

const ACCOUNTS: &str = "Accounts";
const TWO_FACTOR: &str = "Accounts: two-factor authentication";
const FAILED_LOGINS: &str = "Accounts: failed log-ins";
const REST: &str = "REST";
const WEB: &str = "Web pages";

const fn up_to(to: i64) -> Range {
    Range { from: 0, to }
}

const fn from_one_to(to: i64) -> Range {
    Range { from: 1, to }
}

/// Whether second factors are asked for at all.
pub const TWO_FACTOR_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Enabled",
    TWO_FACTOR,
    "Ask for a second factor where a method demands one. Off, nobody is asked for anything.",
    true,
)
.public();

/// Whether authenticator apps can be used.
pub const TOTP_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_TOTP_Enabled",
    TWO_FACTOR,
    "Let users set up an authenticator app.",
    true,
)
.public();

/// How many time steps a code may be early or late.
pub const TOTP_MAX_DELTA: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_MaxDelta",
    TWO_FACTOR,
    "How many steps of 30 seconds the clock of an authenticator app may be off, in both directions.",
    1,
    up_to(10),
);

/// Whether codes are sent by e-mail.
pub const EMAIL_CODES_ENABLED: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_Email_Enabled",
    TWO_FACTOR,
    "Let users have codes sent to their verified addresses.",
    true,
)
.public();

/// Whether users who log in through another service can have codes by e-mail.
pub const EMAIL_CODES_FOR_OAUTH_USERS: Setting<bool> = Setting::boolean(
    "Accounts_twoFactorAuthentication_email_available_for_OAuth_users",
    TWO_FACTOR,
    "Let users who log in through another service have codes by e-mail.",
    true,
)
.public();

/// Whether new users have codes by e-mail.
pub const EMAIL_CODES_AUTO_OPT_IN: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In",
    TWO_FACTOR,
    "Turn codes by e-mail on for new users.",
    true,
);

/// How long a code by e-mail counts, in seconds.
pub const EMAIL_CODE_EXPIRATION: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_By_Email_Code_Expiration",
    TWO_FACTOR,
    "How long a code by e-mail counts, in seconds.",
    3600,
    Range { from: 30, to: 86_400 },
);

/// After how many wrong codes a code by e-mail ends.
pub const EMAIL_CODE_ATTEMPTS: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_Max_Invalid_Email_Code_Attempts",
    TWO_FACTOR,
    "After how many wrong codes a code that was sent by e-mail does not count any more.",
    5,
    from_one_to(100),
);

/// How long a client is trusted that has shown a second factor, in seconds.
pub const REMEMBER_FOR: Setting<i64> = Setting::integer(
    "Accounts_TwoFactorAuthentication_RememberFor",
    TWO_FACTOR,
    "How long a client that has shown a second factor is not asked again, in seconds; 0 asks every time.",
    300,
    up_to(31_536_000),
);

/// Whether users without another factor are asked for their password.
pub const PASSWORD_FALLBACK: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Enforce_Password_Fallback",
    TWO_FACTOR,
    "Ask users who have no second factor for their password instead.",
    true,
)
.public();

/// Whether a personal access token may be excused from the second factor.
pub const TOKENS_MAY_BYPASS: Setting<bool> = Setting::boolean(
    "Accounts_TwoFactorAuthentication_Tokens_May_Bypass",
    TWO_FACTOR,
    "Let users make personal access tokens that are never asked for a second factor. Off, existing ones are asked too.",
    true,
)
.public();

/// Whether failed log-ins block.
pub const BLOCK_FAILED_LOGINS: Setting<bool> = Setting::boolean(
    "Block_Multiple_Failed_Logins_Enabled",
    FAILED_LOGINS,
    "Refuse log-ins for a while after many failed ones.",
    true,
);

/// Whether failed log-ins of one user block that user.
pub const BLOCK_BY_USER: Setting<bool> =
    Setting::boolean("Block_Multiple_Failed_Logins_By_User", FAILED_LOGINS, "Count failed log-ins of each user.", true);

/// Whether failed log-ins from one address block that address.
pub const BLOCK_BY_ADDRESS: Setting<bool> = Setting::boolean(
    "Block_Multiple_Failed_Logins_By_Ip",
    FAILED_LOGINS,
    "Count failed log-ins from each address.",
    true,
);

/// How many failed log-ins block a user.
pub const ATTEMPTS_UNTIL_BLOCK_BY_USER: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Attempts_Until_Block_by_User",
    FAILED_LOGINS,
    "After how many failed log-ins a user is blocked.",
    10,
    from_one_to(10_000),
);

/// For how many minutes a user is blocked.
pub const MINUTES_TO_UNBLOCK_USER: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Time_To_Unblock_By_User_In_Minutes",
    FAILED_LOGINS,
    "For how many minutes a user is blocked.",
    5,
    from_one_to(525_600),
);

/// How many failed log-ins block an address.
pub const ATTEMPTS_UNTIL_BLOCK_BY_ADDRESS: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Attempts_Until_Block_By_Ip",
    FAILED_LOGINS,
    "After how many failed log-ins an address is blocked.",
    50,
    from_one_to(100_000),
);

/// For how many minutes an address is blocked.
pub const MINUTES_TO_UNBLOCK_ADDRESS: Setting<i64> = Setting::integer(
    "Block_Multiple_Failed_Logins_Time_To_Unblock_By_Ip_In_Minutes",
    FAILED_LOGINS,
    "For how many minutes an address is blocked.",
    5,
    from_one_to(525_600),
);

/// Addresses that are never blocked.
pub const ADDRESSES_NEVER_BLOCKED: Setting<String> = Setting::text(
    "Block_Multiple_Failed_Logins_Ip_Whitelist",
    FAILED_LOGINS,
    "Addresses that are never blocked, with commas between them.",
    "",
);

/// Who may sign up.
pub const SIGN_UP: Setting<bool> = Setting::boolean(
    "Accounts_Registration_Enabled",
    ACCOUNTS,
    "Let everybody create an account. Off, only admins do.",
    true,
)
.public();

/// How long a log-in lasts, in days.
pub const LOGIN_EXPIRATION: Setting<i64> = Setting::integer(
    "Accounts_LoginExpiration",
    ACCOUNTS,
    "How long a log-in lasts, in days.",
    90,
    from_one_to(36_500),
)
.public();

/// How many days of the audit log are kept.
pub const AUDIT_DAYS: Setting<i64> =
    Setting::integer("Audit_Log_Days", ACCOUNTS, "For how many days the audit log is kept.", 365, from_one_to(36_500));

/// Roles whose users must have a second factor.
pub const MANDATORY_ROLES: Setting<String> = Setting::text(
    "Accounts_TwoFactorAuthentication_Mandatory_Roles",
    TWO_FACTOR,
    "Roles whose users must have a second factor, with commas between them. Without one they can do nothing but set it up.",
    "",
);

/// The status of a failed `method.call`.
pub const METHOD_CALL_ERRORS_WITH_200: Setting<bool> = Setting::boolean(
    "API_Method_Call_Errors_With_200",
    REST,
    "Answer a method.call that failed with status 200, for clients from before Rocket.Chat 8; else with 400.",
    false,
);

/// Whether the path of a `method.call` must name the method of its body.
pub const METHOD_CALL_PATH_MUST_MATCH: Setting<bool> = Setting::boolean(
    "API_Method_Call_Path_Must_Match",
    REST,
    "Refuse a method.call whose path names another method than its body. Off, the body counts and the log says so.",
    false,
);

/// Whether REST requests are limited.
pub const REST_RATE_LIMIT: Setting<bool> =
    Setting::boolean("API_Enable_Rate_Limiter", REST, "Limit how often an address may call a REST endpoint.", true);

/// How many REST requests a window allows.
pub const REST_RATE_LIMIT_CALLS: Setting<i64> = Setting::integer(
    "API_Enable_Rate_Limiter_Limit_Calls_Default",
    REST,
    "How often an address may call one REST endpoint in a window, where the endpoint says nothing else.",
    10,
    from_one_to(1_000_000),
);

/// How long a window is, in milliseconds.
pub const REST_RATE_LIMIT_WINDOW: Setting<i64> = Setting::integer(
    "API_Enable_Rate_Limiter_Limit_Time_Default",
    REST,
    "How long such a window is, in milliseconds.",
    60_000,
    from_one_to(86_400_000),
);

/// How many REST requests a window allows to one user.
pub const REST_RATE_LIMIT_USER_CALLS: Setting<i64> = Setting::integer(
    "API_Enable_Rate_Limiter_Limit_Calls_User",
    REST,
    "How often a user may call REST endpoints in a window, all of them together and from all addresses.",
    600,
    from_one_to(1_000_000),
);

/// Whether web pages of other sites may use REST.
pub const CORS_ENABLED: Setting<bool> = Setting::boolean(
    "API_Enable_CORS",
    REST,
    "Let web pages of other sites use REST; API_CORS_Origin says which.",
    false,
);

/// Which web pages of other sites may use REST.
pub const CORS_ORIGINS: Setting<String> = Setting::text(
    "API_CORS_Origin",
    REST,
    "Sites whose pages may use REST, such as https://example.com, with commas between them; * stands for all.",
    "*",
);

/// Whether the web pages are served.
pub const WEB_PAGES: Setting<bool> = Setting::boolean(
    "Web_Pages_Enabled",
    WEB,
    "Serve the account page and this panel. Off, both are gone at once; `bolide call URL saveSetting` brings them back.",
    true,
);

pub(crate) fn all() -> Vec<SettingDefinition> {
    let booleans = [
        TWO_FACTOR_ENABLED,
        TOTP_ENABLED,
        EMAIL_CODES_ENABLED,
        EMAIL_CODES_FOR_OAUTH_USERS,
        EMAIL_CODES_AUTO_OPT_IN,
        PASSWORD_FALLBACK,
        TOKENS_MAY_BYPASS,
        BLOCK_FAILED_LOGINS,
        BLOCK_BY_USER,
        BLOCK_BY_ADDRESS,
        SIGN_UP,
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
        AUDIT_DAYS,
        REST_RATE_LIMIT_CALLS,
        REST_RATE_LIMIT_WINDOW,
        REST_RATE_LIMIT_USER_CALLS,
    ];
    let texts = [MANDATORY_ROLES, ADDRESSES_NEVER_BLOCKED, CORS_ORIGINS];
    let booleans = booleans.iter().map(Setting::definition);
    let integers = integers.iter().map(Setting::definition);
    let texts = texts.iter().map(Setting::definition);
    booleans.chain(integers).chain(texts).collect()
}
