//! The application of `examples/conformance_server`, in this process.

use bolide::clock::MovableClock;
use bolide::{App, AppBuilder};

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
