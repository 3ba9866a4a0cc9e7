//! The application of `examples/conformance_server`, in the test process.

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::chance::SystemChance;
use bolide::clock::MovableClock;
use bolide::keys::KeyRing;
use bolide::mail::SmtpMailer;
use bolide::store::SqlStore;
use bolide::{App, AppBuilder, Collection};

#[path = "../../examples/conformance_server/src/accounts.rs"]
mod accounts;
#[path = "../../examples/conformance_server/src/changes.rs"]
mod changes;
#[path = "../../examples/conformance_server/src/methods.rs"]
mod methods;
#[path = "../../examples/conformance_server/src/publications.rs"]
mod publications;
#[path = "../../examples/conformance_server/src/script.rs"]
mod script;

/// The application as its program builds it, but without accounts.
pub(crate) fn application() -> App {
    register(App::builder()).build().expect("the application fits together")
}

/// The application with its users, which sends mail to `smtp_url`. Its hashes are cheap, because many users log in.
pub(crate) async fn application_with_users(smtp_url: &str) -> App {
    application_with_users_at(MovableClock::default(), smtp_url).await
}

/// The same with a clock that the test controls.
pub(crate) async fn application_with_users_at(clock: MovableClock, smtp_url: &str) -> App {
    build(clock, smtp_url, &Collection::new("items")).await
}

/// The same with the collection `items` in the store.
pub(crate) async fn application_with_stored_items(smtp_url: &str) -> App {
    build(MovableClock::default(), smtp_url, &Collection::stored("items").index("group")).await
}

async fn build(clock: MovableClock, smtp_url: &str, items: &Collection) -> App {
    let store = SqlStore::open("sqlite::memory:").await.expect("a store");
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.expect("accounts");
    let sender = "Conformance <no-reply@example.com>".parse().expect("a sender");
    let accounts = accounts
        .mailer(SmtpMailer::new(smtp_url, sender).expect("a mail server"))
        .hashing_cost(HashingCost::new(8, 1, 1).expect("a cost"));
    accounts::add_users(&accounts).await.expect("new users");
    let app =
        accounts::register(register_at(App::builder().accounts(accounts).without_default_rate_limits(), clock, items));
    let app = app.build().expect("the application fits together");
    accounts::limit_requests(&app, false).await.expect("a setting");
    accounts::send_no_notices(&app).await.expect("a setting");
    accounts::allow_short_passwords(&app).await.expect("a setting");
    app
}

/// Adds the methods and publications of the application that do not need accounts.
pub(crate) fn register(app: AppBuilder) -> AppBuilder {
    register_at(app, MovableClock::default(), &Collection::new("items"))
}

fn register_at(app: AppBuilder, clock: MovableClock, items: &Collection) -> AppBuilder {
    changes::register(publications::register(methods::register(app.clock(clock.clone()), clock), items))
}
