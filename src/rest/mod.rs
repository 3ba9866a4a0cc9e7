//! REST: the same methods over HTTP, by the same dispatcher, gate and errors. Paths, bodies and statuses are Rocket.Chat's.
//!
//! - [`Route`]: where an endpoint is, and what it takes;
//! - here: the routes of an app;
//! - `incoming`: what is checked before an endpoint runs, with `identity`, `limits` and `body`;
//! - `method_call`: any method, as a DDP message in a body;
//! - `login`, `own_account`, `users`, `settings`, `challenges`: the endpoints that every app with accounts has;
//! - `answer` and `cors`: what goes out;
//! - `openapi`: all of it, described for programs.

mod answer;
mod body;
mod challenges;
mod cors;
mod identity;
mod incoming;
mod limits;
mod login;
mod method_call;
mod openapi;
mod own_account;
mod route;
mod settings;
mod users;

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodFilter, MethodRouter, any, get};
use http::{HeaderMap, StatusCode};
use indexmap::IndexMap;
use serde_json::json;

use crate::accounts::AccountsCore;
use crate::app::{AppBuilder, AppState};
use crate::error::BuildError;
use answer::{Answer, answer, refusal, written};
use incoming::Api;
use limits::RequestLimits;

pub(crate) use route::{Endpoint, Verb};

pub use route::{Field, FieldKind, Route};

/// The version of the server, below `v1` too.
const INFO: &str = "info";

/// Whatever is no endpoint.
const UNKNOWN: &str = "{*unknown}";

/// Registers the endpoints that the app has not registered itself.
pub(crate) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    let builder = own_account::register(core, builder);
    let builder = users::register(core, builder);
    let builder = settings::register(core, builder);
    challenges::register(core, builder)
}

/// Makes sure that each path of the app's means one thing, as the router wants it.
///
/// # Errors
/// [`BuildError::DuplicateEndpoint`] and [`BuildError::Endpoint`].
pub(crate) fn check(endpoints: &[Arc<Endpoint>]) -> Result<(), BuildError> {
    let (mut router, mut seen) = (matchit::Router::new(), HashSet::new());
    for path in [INFO, UNKNOWN] {
        // The first ones of a router cannot stand in each other's way.
        let _added = router.insert(path, ());
    }
    let built_in = built_in();
    for endpoint in built_in.iter().chain(endpoints) {
        let path = endpoint.route.path();
        if !seen.insert((endpoint.verb.method_kind(), path)) {
            return Err(BuildError::DuplicateEndpoint(path.to_owned()));
        }
        let is_new = seen.iter().filter(|(_, other)| *other == path).count() == 1;
        if is_new && let Err(reason) = router.insert(path, ()) {
            return Err(BuildError::Endpoint { path: path.to_owned(), reason: reason.to_string() });
        }
    }
    Ok(())
}

/// The endpoints that are no methods.
fn built_in() -> Vec<Arc<Endpoint>> {
    login::endpoints().into_iter().chain(method_call::endpoints()).map(Arc::new).collect()
}

/// The routes, below the app's path prefix. An app without accounts has none.
pub(crate) fn router(app: &Arc<AppState>) -> Router {
    let Some(accounts) = &app.accounts else { return Router::new() };
    let root = format!("{}/api", app.path_prefix);
    let endpoints: Vec<Arc<Endpoint>> = built_in().into_iter().chain(app.endpoints.iter().cloned()).collect();
    let description = openapi::describe(&root, &endpoints);
    let api = Arc::new(Api {
        app: Arc::clone(app),
        accounts: Arc::clone(accounts),
        endpoints,
        limits: RequestLimits::default(),
    });
    let mut by_path: IndexMap<&str, MethodRouter> = IndexMap::new();
    for (number, endpoint) in api.endpoints.iter().enumerate() {
        let filter = match endpoint.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        let shared = Arc::clone(&api);
        let serve = async move |request: Request| shared.serve(number, request).await;
        let route = by_path.entry(&endpoint.route.path).or_insert_with(|| around(accounts));
        *route = std::mem::take(route).on(filter, serve);
    }
    let version = || answer(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION"), "success": true }));
    let mut router = Router::new()
        .route(&format!("{root}/info"), around(accounts).get(async move || version()))
        .route(&format!("{root}/v1/{INFO}"), around(accounts).get(async move || version()))
        .route(&format!("{root}/docs.json"), get(async move || written(StatusCode::OK, description)))
        .route(&format!("{root}/v1/{UNKNOWN}"), any(async || unknown()));
    for (path, route) in by_path {
        router = router.route(&format!("{root}/v1/{path}"), route);
    }
    router
}

/// What every path answers beside its own verbs: the question of a browser, and a verb that it does not have.
fn around(accounts: &Arc<AccountsCore>) -> MethodRouter {
    let settings = accounts.settings.clone();
    let preflight = async move |headers: HeaderMap| cors::preflight(&settings, &headers);
    let wrong_verb = async || {
        refusal(StatusCode::METHOD_NOT_ALLOWED, "The path is not used so [error-wrong-verb]", "error-wrong-verb")
    };
    MethodRouter::new().options(preflight).fallback(wrong_verb)
}

fn unknown() -> Answer {
    refusal(StatusCode::NOT_FOUND, "There is no such endpoint [error-endpoint-not-found]", "error-endpoint-not-found")
}
