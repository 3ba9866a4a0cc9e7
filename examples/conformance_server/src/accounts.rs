//! The users of the conformance server, and the methods with which tests bypass logins and change settings.

use std::sync::Arc;

use bolide::AppBuilder;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::clock::Timestamp;
use bolide::prelude::*;
use bolide::store::{EmailAddress, Namesakes, NewUser, StoreError, Totp, User};
use serde_json::Value;

/// A user that the conformance cases expect.
struct Fixture {
    username: &'static str,
    password: Option<&'static str>,
    emails: &'static [&'static str],
    totp: Option<&'static [u8]>,
    has_email_codes: bool,
    roles: &'static [&'static str],
}

/// A time far in the past, so that the users do not count as newly created.
const CREATED_AT: Timestamp = Timestamp::from_milliseconds(1_500_000_000_000);

/// The bytes of `JBSWY3DPEHPK3PXP` and `KRSXG5CTMVRXEZLU`.
const BOBS_SECRET: &[u8] = b"Hello!\xde\xad\xbe\xef";
const ZOES_SECRET: &[u8] = b"TestSecret";

const USERS: [Fixture; 8] = [
    Fixture::plain("alice", Some("correct horse"), &["alice@example.com"]),
    Fixture { totp: Some(BOBS_SECRET), ..Fixture::plain("bob", Some("battery staple"), &["bob@example.com"]) },
    Fixture {
        has_email_codes: true,
        ..Fixture::plain("emma", Some("envelope please"), &["emma@example.com", "emma@example.org"])
    },
    Fixture {
        totp: Some(ZOES_SECRET),
        has_email_codes: true,
        ..Fixture::plain("zoe", Some("belt and braces"), &["zoe@example.com"])
    },
    Fixture::plain("Nina", Some("capital letter"), &["Nina@example.com"]),
    Fixture::plain("nina", Some("small letter"), &["nina@example.com"]),
    Fixture::plain("olga", None, &["olga@example.com"]),
    Fixture { roles: &["admin"], ..Fixture::plain("admin", Some("admin password"), &["admin@example.com"]) },
];

impl Fixture {
    const fn plain(username: &'static str, password: Option<&'static str>, emails: &'static [&'static str]) -> Self {
        Self { username, password, emails, totp: None, has_email_codes: false, roles: &[] }
    }
}

/// Adds the users, unless the database already has them.
pub(crate) async fn add_users(accounts: &Accounts) -> anyhow::Result<()> {
    for fixture in &USERS {
        add(accounts, fixture).await?;
    }
    Ok(())
}

pub(crate) fn register(app: AppBuilder) -> AppBuilder {
    let gated = TwoFactor::required;
    app.post("gated", gated(), gated_endpoint)
        .post("gatedNoRemember", gated().disable_remember_me(), gated_endpoint)
        .post("gatedSecondFactor", gated().require_second_factor(), gated_endpoint)
        .method("setSetting", TwoFactor::none(), async |context: Context, id: String, value: Value| {
            accounts(&context)?.set(&id, value).await
        })
        .method("issueToken", TwoFactor::none(), async |context: Context, username: String| {
            accounts(&context)?.issue_token(&username).await
        })
}

/// Sets whether REST requests are rate limited.
pub(crate) async fn limit_requests(app: &App, are_limited: bool) -> anyhow::Result<()> {
    let Some(accounts) = app.accounts() else { return Ok(()) };
    let set = accounts.set("API_Enable_Rate_Limiter", are_limited.into()).await;
    set.map_err(|error| anyhow::anyhow!("{error}"))
}

/// Tells users nothing by mail of their logins and changes: tests wait for the mails that they have asked for.
pub(crate) async fn send_no_notices(app: &App) -> anyhow::Result<()> {
    set(app, "Accounts_Security_Notices").await
}

/// Turns the policy for new passwords off: the conformance cases set short ones.
pub(crate) async fn allow_short_passwords(app: &App) -> anyhow::Result<()> {
    set(app, "Accounts_Password_Policy_Enabled").await
}

async fn set(app: &App, setting: &str) -> anyhow::Result<()> {
    let Some(accounts) = app.accounts() else { return Ok(()) };
    let set = accounts.set(setting, false.into()).await;
    set.map_err(|error| anyhow::anyhow!("{error}"))
}

async fn gated_endpoint(_: SignedIn, _: Value) -> MethodResult<Value> {
    Ok(serde_json::json!({ "ok": true }))
}

fn accounts(context: &Context) -> MethodResult<bolide::accounts::AccountsHandle> {
    context.app().accounts().ok_or_else(|| MethodError::internal("this app has no accounts"))
}

async fn add(accounts: &Accounts, fixture: &Fixture) -> anyhow::Result<()> {
    let id = UserId::from(format!("user-{}", fixture.username));
    let password = match fixture.password {
        Some(password) => Some(accounts.hash_password(password, Arc::new(SystemChance)).await?),
        None => None,
    };
    let totp = fixture.totp.map_or(Totp::Off, |secret| Totp::On(accounts.seal_totp_secret(&id, secret, &SystemChance)));
    let mut user = User::new(id, CREATED_AT);
    user.username = Some(fixture.username.to_owned());
    user.emails = fixture.emails.iter().copied().map(EmailAddress::verified).collect();
    user.roles = fixture.roles.iter().map(|role| (*role).to_owned()).collect();
    user.password = password;
    user.totp = totp;
    user.has_email_codes = fixture.has_email_codes;
    let mut user = NewUser::from(user);
    user.namesakes = Namesakes::Allowed;
    match accounts.add_user(user).await {
        Ok(()) | Err(StoreError::Taken(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
