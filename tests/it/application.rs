//! The application of `examples/conformance_server`, in this process.

use bolide::clock::MovableClock;
use bolide::{App, AppBuilder};
use clap::Parser as _;

#[path = "../../examples/conformance_server/accounts.rs"]
mod accounts;
#[expect(dead_code, reason = "the program reads more of them")]
#[path = "../../examples/conformance_server/arguments.rs"]
mod arguments;
#[path = "../../examples/conformance_server/methods.rs"]
mod methods;
#[path = "../../examples/conformance_server/publications.rs"]
mod publications;
#[path = "../../examples/conformance_server/script.rs"]
mod script;

/// The application as its own program builds it.
pub(crate) fn application() -> App {
    register(App::builder()).build().expect("the application fits together")
}

/// Adds all methods and publications of the application.
pub(crate) fn register(app: AppBuilder) -> AppBuilder {
    let clock = MovableClock::default();
    publications::register(methods::register(app.clock(clock.clone()), clock))
}

/// The application with its users, and the clock that it goes by.
pub(crate) async fn application_with_users() -> (App, MovableClock) {
    let clock = MovableClock::default();
    let arguments = arguments::Arguments::parse_from(["conformance_server"]);
    let users = accounts::open(&arguments, &clock).await.expect("users");
    let app = App::builder().accounts(users).clock(clock.clone());
    let app = accounts::register(publications::register(methods::register(app, clock.clone())));
    (app.build().expect("the application fits together"), clock)
}
