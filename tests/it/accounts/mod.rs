//! Accounts and the second factor, over real sockets: logins, challenges and attacks.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

mod admins;
mod attacks;
mod bounds;
mod cached_reads;
mod collections;
mod dropped;
mod enrolment;
mod factors;
mod forgotten_passwords;
mod hooks;
pub(crate) mod import;
mod input;
mod invitations;
mod keys;
mod leaked_secrets;
mod login;
mod mail;
mod namesakes;
mod nodes;
mod notices;
mod other_dialects;
mod own_document;
mod passkeys;
mod password_policy;
mod permissions;
mod pipeline;
mod policies;
mod protected;
mod recovery;
mod replays;
mod rest;
mod revocation;
mod sealed_mails;
mod wrong_types;

use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::chance::SystemChance;
use bolide::clock::{Clock, MovableClock, Timestamp};
use bolide::keys::KeyRing;
use bolide::mail::{Mail, MemoryMailer};
use bolide::prelude::*;
use bolide::rest::{Field, Route};
use bolide::store::{EmailAddress, Totp, User};
use bolide::{AppBuilder, TrustedProxy};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Secret};

use crate::client::Client;
use crate::server::Server;
use crate::stores::databases;

pub(crate) const SECRET: &[u8] = b"12345678901234567890";

/// A server with alice (a password), bob (an authenticator app), emma (codes by e-mail) and admin.
pub(crate) struct Bank {
    pub(crate) server: Server,
    pub(crate) app: App,
    pub(crate) clock: MovableClock,
    pub(crate) mailer: MemoryMailer,
}

impl Bank {
    pub(crate) async fn open() -> Self {
        Self::open_with(|accounts| accounts).await
    }

    /// The same with accounts that the test configures.
    pub(crate) async fn open_with(make: impl FnOnce(Accounts) -> Accounts) -> Self {
        let clock = MovableClock::default();
        Self::build(clock.clone(), clock, make, []).await
    }

    /// The same with a clock that the test moves.
    pub(crate) async fn open_at(clock: impl Clock) -> Self {
        Self::build(clock, MovableClock::default(), |accounts| accounts, []).await
    }

    /// The same behind trusted proxies.
    pub(crate) async fn open_behind(proxies: impl IntoIterator<Item = TrustedProxy>) -> Self {
        let clock = MovableClock::default();
        Self::build(clock.clone(), clock, |accounts| accounts, proxies).await
    }

    async fn build(
        app_clock: impl Clock,
        clock: MovableClock,
        make: impl FnOnce(Accounts) -> Accounts,
        proxies: impl IntoIterator<Item = TrustedProxy>,
    ) -> Self {
        let mailer = MemoryMailer::default();
        let keys = KeyRing::generate(&SystemChance);
        let accounts = Accounts::open_shared(databases::chosen().await, keys, []).await.unwrap();
        let accounts = accounts.mailer(mailer.clone()).hashing_cost(HashingCost::new(8, 1, 1).unwrap());
        for (name, totp, has_email_codes) in
            [("alice", false, false), ("bob", true, false), ("emma", false, true), ("admin", false, false)]
        {
            add(&accounts, name, totp, has_email_codes).await;
        }
        let accounts = make(accounts);
        let gated = TwoFactor::required;
        let app = App::builder()
            .clock(app_clock)
            .accounts(accounts)
            .without_default_rate_limits()
            // So that each call is a slow one.
            .slow_call(Duration::ZERO)
            .method("whoami", TwoFactor::none(), async |me: SignedIn| Ok(me.user().clone()))
            .method("gated", gated(), ok)
            .method("noRemember", gated().disable_remember_me(), ok)
            .method("strict", gated().require_second_factor(), ok)
            .method("noPassword", gated().disable_password_fallback(), ok)
            .method("fresh", gated().max_age(Duration::from_mins(1)), ok)
            .method("outer", gated(), async |me: SignedIn| me.context().call::<String>("strict", &()).await)
            .method("address", TwoFactor::none(), address)
            .ejson_type("Decimal")
            .method("echo", TwoFactor::none(), async |_: Context, value: Ejson| Ok(value))
            .post("echo", TwoFactor::none(), async |_: Context, fields: Ejson| Ok(fields))
            .method("item", TwoFactor::none(), item)
            .get(Route::new("items/{id}").takes([Field::number("count").optional()]), TwoFactor::none(), item)
            .post("gated", gated(), async |_: SignedIn, _: Value| Ok(json!({ "ok": true })));
        let app = proxies.into_iter().fold(app, AppBuilder::trusted_proxy).build().unwrap();
        // Tests make more requests in a minute than one address is allowed.
        app.accounts().unwrap().set("API_Enable_Rate_Limiter", false.into()).await.unwrap();
        // Tests that read mails count them.
        app.accounts().unwrap().set("Accounts_Security_Notices", false.into()).await.unwrap();
        // Most tests set passwords that are easy to read.
        app.accounts().unwrap().set("Accounts_Password_Policy_Enabled", false.into()).await.unwrap();
        let server = Server::start(app.clone()).await;
        Self { server, app, clock, mailer }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.server.address).await
    }

    /// Changes a setting.
    pub(crate) async fn set(&self, setting: &str, value: impl Into<Value>) {
        self.app.accounts().unwrap().set(setting, value.into()).await.unwrap();
    }

    /// Connects and logs in, without being asked for a second factor.
    pub(crate) async fn log_in(&self, name: &str) -> Client {
        let mut client = self.connect().await;
        let token = self.app.accounts().unwrap().issue_token(name).await.unwrap();
        result(&client.ask("login", json!([{ "resume": token }])).await);
        client
    }

    /// Returns the current code of bob's authenticator app.
    pub(crate) fn code(&self) -> String {
        code_at(self.clock.now())
    }

    /// Waits for `count` mails and returns them.
    pub(crate) async fn mails(&self, count: usize) -> Vec<Mail> {
        for _ in 0..500 {
            let sent = self.mailer.sent();
            if sent.len() >= count {
                return sent;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("only {} of {count} mails have come", self.mailer.sent().len());
    }

    /// Waits for `count` mails and returns the code in the last one.
    pub(crate) async fn mailed_code(&self, count: usize) -> String {
        let mails = self.mails(count).await;
        let text = &mails.last().unwrap().text;
        let is_code = |word: &&str| word.len() == 7 && word.as_bytes()[3] == b'-';
        text.split_whitespace().find(is_code).unwrap().to_owned()
    }
}

/// Returns the code of bob's authenticator app at a time.
pub(crate) fn code_at(time: Timestamp) -> String {
    code_of(Secret::new(Box::from(SECRET)), time)
}

/// Returns the code for a base32 secret.
pub(crate) fn totp_code(base32: &str, clock: &MovableClock) -> String {
    code_of(Secret::try_from_base32(base32).unwrap(), clock.now())
}

fn code_of(secret: Secret, time: Timestamp) -> String {
    let seconds = u64::try_from(time.milliseconds() / 1000).unwrap();
    Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string()
}

/// Returns the form in which a client sends a password as a second factor.
pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02X}"))
}

#[derive(serde::Deserialize)]
struct Item {
    id: String,
    count: Option<f64>,
}

async fn item(_: Context, item: Item) -> MethodResult<String> {
    Ok(format!("{} {}", item.id, item.count.unwrap_or_default()))
}

async fn address(context: Context) -> MethodResult<Option<String>> {
    let address = context.connection().and_then(bolide::Connection::client_address);
    Ok(address.map(|address| address.to_string()))
}

async fn ok(_: SignedIn) -> MethodResult<&'static str> {
    Ok("ok")
}

pub(crate) async fn add(accounts: &Accounts, name: &str, has_totp: bool, has_email_codes: bool) {
    let id = UserId::from(format!("user-{name}"));
    let chance = SystemChance;
    let totp = if has_totp { Totp::On(accounts.seal_totp_secret(&id, SECRET, &chance)) } else { Totp::Off };
    let mut user = User::new(id, Timestamp::from_milliseconds(1_500_000_000_000));
    user.username = Some(name.to_owned());
    user.emails = vec![EmailAddress::verified(format!("{name}@example.com"))];
    user.roles = if name == "admin" { vec!["admin".to_owned()] } else { Vec::new() };
    user.password = Some(accounts.hash_password(&format!("{name}'s password"), Arc::new(chance)).await.unwrap());
    user.totp = totp;
    user.has_email_codes = has_email_codes;
    accounts.add_user(user.into()).await.unwrap();
}

pub(crate) fn password_login(name: &str, password: &str) -> Value {
    json!([{ "user": { "username": name }, "password": password }])
}

pub(crate) fn with_code(code: &str, method: &str) -> Value {
    json!([{ "twoFactorCode": code, "twoFactorMethod": method }])
}

/// Appends a user's password to the parameters of a call, as a client does when it is asked for it.
pub(crate) fn by_password(name: &str, mut parameters: Value) -> Value {
    let shown = with_code(&sha256(&format!("{name}'s password")), "password");
    parameters.as_array_mut().unwrap().push(shown[0].clone());
    parameters
}

#[track_caller]
pub(crate) fn result(answer: &Value) -> &Value {
    assert!(answer.get("error").is_none(), "{answer}");
    &answer["result"]
}

#[track_caller]
pub(crate) fn error(answer: &Value) -> &Value {
    assert!(answer.get("error").is_some(), "{answer}");
    &answer["error"]["error"]
}
