//! REST: the same methods over HTTP, with the same dispatcher, gate and errors. Paths, bodies and statuses are
//! Rocket.Chat's.
//!
//! - [`Route`]: the path of an endpoint and its parameters; `endpoints`: all endpoints of an app;
//! - here: the routes of an app;
//! - `incoming`: the checks before an endpoint runs, with `identity`, `limits` and `body`;
//! - `method_call`: any method, as a DDP message in a body;
//! - `info`: the version of the server;
//! - `login`, `own_account`, `users`, `settings`, `challenges`: the endpoints that every app with accounts has;
//! - `answer`, `cors` and `request_id`: the answers;
//! - `openapi`: the description of all endpoints for programs.

mod answer;
mod body;
mod challenges;
mod cors;
mod endpoints;
mod identity;
mod incoming;
mod info;
mod limits;
mod login;
mod method_call;
mod openapi;
mod own_account;
mod passkeys;
mod request_id;
mod route;
mod settings;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodFilter, MethodRouter, any, get};
use http::{HeaderMap, StatusCode};
use indexmap::IndexMap;

use crate::accounts::AccountsCore;
use crate::transport::server::Server;
use crate::two_factor::TwoFactorCore;
use answer::{Answer, refusal, written};
use incoming::Api;
use limits::RequestLimits;
use route::Endpoint;

pub(crate) use endpoints::Endpoints;
pub(crate) use route::Verb;

pub use route::{Field, FieldKind, Route};

/// The path of the server's version.
const INFO: &str = "info";

/// The path that matches requests to unknown endpoints.
const UNKNOWN: &str = "{*unknown}";

/// Registers the endpoints that the app has not registered itself.
pub(crate) fn register(core: &Arc<AccountsCore>, factors: &Arc<TwoFactorCore>, endpoints: &mut Endpoints) {
    own_account::register(core, endpoints);
    users::register(core, factors, endpoints);
    settings::register(core, endpoints);
    challenges::register(factors, endpoints);
    passkeys::register(endpoints);
}

/// Returns the endpoints that are not methods.
fn built_in() -> Vec<Arc<Endpoint>> {
    login::endpoints().into_iter().chain(method_call::endpoints()).map(Arc::new).collect()
}

/// Returns the routes, below the app's path prefix.
pub(crate) fn router(server: &Server, accounts: &Arc<AccountsCore>, endpoints: &Endpoints) -> Router {
    let root = format!("{}/api", server.http.path_prefix);
    let endpoints: Vec<Arc<Endpoint>> = built_in().into_iter().chain(endpoints.iter().cloned()).collect();
    let description = openapi::describe(&root, &endpoints);
    let api = Arc::new(Api {
        server: server.clone(),
        accounts: Arc::clone(accounts),
        endpoints,
        limits: RequestLimits::new(server.limits().rate_counters),
    });
    let mut by_path: IndexMap<&str, MethodRouter> = IndexMap::new();
    for (number, endpoint) in api.endpoints.iter().enumerate() {
        let filter = match endpoint.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
        };
        let shared = Arc::clone(&api);
        let serve = async move |request: Request| shared.serve(number, request).await;
        let route = by_path.entry(&endpoint.route.path).or_insert_with(|| around(accounts));
        *route = std::mem::take(route).on(filter, serve);
    }
    let shared = Arc::clone(&api);
    let version = async move |request: Request| info::info(&shared, request).await;
    let mut router = Router::new()
        .route(&format!("{root}/info"), around(accounts).get(version.clone()))
        .route(&format!("{root}/v1/{INFO}"), around(accounts).get(version))
        .route(&format!("{root}/docs.json"), get(async move || written(StatusCode::OK, description)))
        .route(&format!("{root}/v1/{UNKNOWN}"), any(async || unknown()));
    for (path, route) in by_path {
        router = router.route(&format!("{root}/v1/{path}"), route);
    }
    router
}

/// Returns what every path answers in addition to its own verbs: preflight requests, and 405 for other verbs.
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
