//! REST: the same methods over HTTP, by the same dispatcher, gate and errors. Paths, bodies and statuses are Rocket.Chat's.
//!
//! - here: requests come in, somebody is recognized by the headers, answers go out;
//! - [`method_call`]: any method, as a DDP message in a body;
//! - [`login`]: log in and out;
//! - [`accounts`]: what users do with their own account.

mod accounts;
mod login;
mod method_call;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, Request};
use axum::routing::{MethodFilter, MethodRouter, get, post};
use bolide_protocol::error::ErrorCode;
use bolide_protocol::{DdpError, Ejson, RawJson};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::accounts::{AccountsCore, LoginSecret};
use crate::app::AppState;
use crate::connection::{Connection, Peer};
use crate::context::CallRandom;
use crate::identity::{Credential, Identity};
use crate::method::{Method, MethodError, Parameters, sanitize};
use crate::transport::peer;

pub(crate) use accounts::register;

/// How long a body may be, in bytes.
const BODY_BYTES: usize = 1 << 20;

/// An answer.
type Answer = Response<Body>;

/// An endpoint of the application's own: a method with a path.
pub(crate) struct Endpoint {
    pub(crate) verb: Verb,
    /// Below `/api/v1`, with `{name}` for what changes.
    pub(crate) path: String,
    pub(crate) method: Arc<Method>,
}

/// What is done with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

/// The routes, below the app's path prefix. An app without accounts has none.
pub(crate) fn router(app: &Arc<AppState>) -> Router {
    let Some(accounts) = &app.accounts else { return Router::new() };
    let api = format!("{}/api", app.path_prefix);
    let mut router = Router::new()
        .route(
            &format!("{api}/info"),
            get(async || answer(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION"), "success": true }))),
        )
        .route(&format!("{api}/v1/login"), post(handler(app, accounts, login::login)))
        .route(&format!("{api}/v1/logout"), post(handler(app, accounts, login::logout)))
        .route(&format!("{api}/v1/method.call/{{*name}}"), post(handler(app, accounts, method_call::signed_in)))
        .route(&format!("{api}/v1/method.callAnon/{{*name}}"), post(handler(app, accounts, method_call::anonymous)));
    let mut by_path: IndexMap<String, MethodRouter> = IndexMap::new();
    for endpoint in &app.endpoints {
        let filter = match endpoint.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        let (app, accounts, method) = (Arc::clone(app), Arc::clone(accounts), Arc::clone(&endpoint.method));
        let serve = async move |Path(path): Path<IndexMap<String, String>>,
                                Query(query): Query<IndexMap<String, String>>,
                                request: Request| {
            match Incoming::read(&app, &accounts, request).await {
                Ok(incoming) => incoming.run(&method, path, query).await,
                Err(refusal) => refusal,
            }
        };
        let path = format!("{api}/v1/{}", endpoint.path);
        let route = by_path.entry(path).or_default();
        *route = std::mem::take(route).on(filter, serve);
    }
    for (path, route) in by_path {
        router = router.route(&path, route);
    }
    router
}

/// A request of which everything was read.
pub(crate) struct Incoming {
    app: Arc<AppState>,
    accounts: Arc<AccountsCore>,
    headers: HeaderMap,
    path: String,
    connection: Connection,
    identity: Identity,
    body: Bytes,
}

fn handler<Serve, Serving>(
    app: &Arc<AppState>,
    accounts: &Arc<AccountsCore>,
    serve: Serve,
) -> impl Fn(Request) -> futures::future::BoxFuture<'static, Answer> + Clone + Send + Sync + 'static
where
    Serve: Fn(Incoming) -> Serving + Copy + Send + Sync + 'static,
    Serving: Future<Output = Answer> + Send,
{
    let (app, accounts) = (Arc::clone(app), Arc::clone(accounts));
    move |request| {
        let (app, accounts) = (Arc::clone(&app), Arc::clone(&accounts));
        Box::pin(async move {
            match Incoming::read(&app, &accounts, request).await {
                Ok(incoming) => serve(incoming).await,
                Err(refusal) => refusal,
            }
        })
    }
}

impl Incoming {
    async fn read(app: &Arc<AppState>, accounts: &Arc<AccountsCore>, request: Request) -> Result<Self, Answer> {
        let (head, body) = request.into_parts();
        let address = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address);
        let peer = peer::describe(address, &head.headers, &app.proxies);
        let identity = match identify(accounts, &head.headers).await {
            Ok(identity) => identity,
            Err(error) => return Err(failure(&sanitize(error, "request", head.uri.path(), &app.random_id()))),
        };
        let Ok(body) = axum::body::to_bytes(body, BODY_BYTES).await else {
            let refusal = json!({ "success": false, "error": "The body is too long, or broke off" });
            return Err(answer(StatusCode::PAYLOAD_TOO_LARGE, &refusal));
        };
        let id = connection_id(&identity, &peer);
        let connection = Connection::request(id, peer, identity.clone());
        Ok(Self {
            app: Arc::clone(app),
            accounts: Arc::clone(accounts),
            headers: head.headers,
            path: head.uri.path().to_owned(),
            connection,
            identity,
            body,
        })
    }

    /// Runs an endpoint: what the path, the query and the body say is its one parameter.
    async fn run(
        self,
        method: &Arc<Method>,
        path: IndexMap<String, String>,
        query: IndexMap<String, String>,
    ) -> Answer {
        if method.is_for_users() && self.identity.user.is_none() {
            return unauthorized();
        }
        let mut fields = match self.object() {
            Ok(fields) => fields,
            Err(refusal) => return *refusal,
        };
        fields.extend(query.into_iter().chain(path).map(|(name, value)| (name, Value::String(value))));
        let Ok(parameters) = Parameters::from_values(&[Value::Object(fields)]) else {
            return failure(&DdpError::match_failed());
        };
        let outcome = self
            .app
            .run(method, Some(self.connection.clone()), self.identity.user.clone(), CallRandom::new(None), parameters)
            .await;
        match outcome {
            Ok(result) => success(result.as_ref()),
            Err(error) => failure(&error),
        }
    }

    /// The body as an object; an empty one has no members.
    fn object(&self) -> Result<Map<String, Value>, Box<Answer>> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(Box::new(invalid("The body must be a JSON object"))),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
    }
}

/// Who the headers say it is: a login token, and whose it is. Both must be right, or nobody is signed in.
async fn identify(accounts: &AccountsCore, headers: &HeaderMap) -> Result<Identity, MethodError> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(token), Some(user)) = (value("x-auth-token"), value("x-user-id")) else { return Ok(Identity::default()) };
    let hashed = LoginSecret::from(token.to_owned()).hashed();
    let Some(found) = accounts.store.token(&hashed).await? else { return Ok(Identity::default()) };
    let has_ended = found.expires_at().is_some_and(|end| end <= accounts.now());
    let owner = accounts.store.user(&found.user).await?;
    if has_ended || found.user.as_str() != user || !owner.is_some_and(|owner| owner.is_active) {
        return Ok(Identity::default());
    }
    let credential = Credential { hashed: Arc::from(found.hashed.as_str()), expires_at: found.expires_at() };
    Ok(Identity { user: Some(found.user), credential: Some(credential) })
}

/// The same for all requests of one token, or else of one address: what is counted per connection is counted so.
fn connection_id(identity: &Identity, peer: &Peer) -> String {
    match (&identity.credential, &peer.address) {
        (Some(credential), _) => format!("rest:{}", LoginSecret::from(credential.hashed.to_string()).hashed().as_str()),
        (None, Some(address)) => format!("rest:{address}"),
        (None, None) => "rest".to_owned(),
    }
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// A result with `success: true` beside its members.
fn success(result: Option<&RawJson>) -> Answer {
    let value = result.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let mut body = match value {
        Some(Value::Object(object)) => object,
        None | Some(Value::Null) => Map::new(),
        Some(other) => Map::from_iter([("result".to_owned(), other)]),
    };
    body.insert("success".into(), true.into());
    answer(StatusCode::OK, &Value::Object(body))
}

/// An error in Rocket.Chat's form.
fn failure(error: &DdpError) -> Answer {
    let mut body = Map::new();
    body.insert("success".into(), false.into());
    body.insert("error".into(), error.message().into());
    body.insert("errorType".into(), code(&error.error));
    if let Some(details) = error.details.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()) {
        body.insert("details".into(), details);
    }
    answer(status_of(error), &Value::Object(body))
}

fn status_of(error: &DdpError) -> StatusCode {
    if error.error == ErrorCode::from(500) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if error.error == ErrorCode::from("too-many-requests") {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    StatusCode::BAD_REQUEST
}

fn code(error: &ErrorCode) -> Value {
    serde_json::to_value(error).unwrap_or(Value::Null)
}

fn unauthorized() -> Answer {
    let body = json!({ "status": "error", "message": "You must be logged in to do this.", "success": false });
    answer(StatusCode::UNAUTHORIZED, &body)
}

fn invalid(sentence: &str) -> Answer {
    answer(StatusCode::BAD_REQUEST, &json!({ "success": false, "error": sentence, "errorType": "invalid-params" }))
}

/// A body as EJSON, for what reads it like a method's options.
fn ejson(value: &Map<String, Value>) -> Result<bolide_protocol::ejson::Object, DdpError> {
    match Ejson::from_typed(value) {
        Ok(Ejson::Object(object)) => Ok(object),
        _ => Err(DdpError::match_failed()),
    }
}
