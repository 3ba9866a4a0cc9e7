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

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodFilter, MethodRouter, any, get};
use http::{HeaderMap, StatusCode};
use indexmap::IndexMap;
use serde_json::json;

use crate::accounts::AccountsCore;
use crate::app::{AppBuilder, AppState};
use answer::{Answer, answer, refusal, written};
use incoming::Api;
use limits::RequestLimits;

pub(crate) use route::{Endpoint, Verb};

pub use route::{Field, FieldKind, Route};

/// Registers the endpoints that the app has not registered itself.
pub(crate) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    let builder = own_account::register(core, builder);
    let builder = users::register(core, builder);
    let builder = settings::register(core, builder);
    challenges::register(core, builder)
}

/// The routes, below the app's path prefix. An app without accounts has none.
pub(crate) fn router(app: &Arc<AppState>) -> Router {
    let Some(accounts) = &app.accounts else { return Router::new() };
    let root = format!("{}/api", app.path_prefix);
    let endpoints: Vec<Endpoint> = login::endpoints().into_iter().chain(method_call::endpoints()).collect();
    let endpoints: Vec<Arc<Endpoint>> =
        endpoints.into_iter().map(Arc::new).chain(app.endpoints.iter().cloned()).collect();
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
        .route(&format!("{root}/v1/info"), around(accounts).get(async move || version()))
        .route(&format!("{root}/docs.json"), get(async move || written(StatusCode::OK, description)))
        .route(&format!("{root}/v1/{{*unknown}}"), any(async || unknown()));
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
