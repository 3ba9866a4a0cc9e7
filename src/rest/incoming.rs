//! [`Incoming`]: a request that has passed the checks before its handler, in Rocket.Chat's order: identity (401), permission
//! (403), rate limits (429), well-formedness (400). The dispatcher then asks for the second factor.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use bolide_protocol::DdpError;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value};
use tracing::{Instrument as _, Span};

use super::answer::{Answer, failure, forbidden, invalid, refusal, success, unauthorized};
use super::limits::{Counted, RequestLimits};
use super::route::{Endpoint, Mistake, Target};
use super::{body, cors, identity, login, method_call, request_id};
use crate::accounts::{AccountsCore, request_connection};
use crate::call::{
    Connection, Identity, Invocation, Method, MethodError, MethodResult, Parameters, WindowRule, answering_as,
    current_request, sanitize,
};
use crate::figures::Limit;
use crate::peer::Peer;
use crate::session::NoShare;
use crate::settings;
use crate::shares::{Share, Source};
use crate::spans::{self, TraceParent};
use crate::transport::peer;
use crate::transport::remote::Remote;
use crate::transport::server::Server;
use crate::user::UserId;

/// The state that all endpoints share.
pub(super) struct Api {
    pub(super) server: Server,
    pub(super) accounts: Arc<AccountsCore>,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) limits: RequestLimits,
}

/// The sender of a request.
struct Caller {
    peer: Peer,
    identity: Identity,
}

/// A request that has been read completely.
pub(super) struct Incoming {
    pub(super) server: Server,
    pub(super) accounts: Arc<AccountsCore>,
    pub(super) headers: HeaderMap,
    pub(super) uri: Uri,
    pub(super) connection: Connection,
    pub(super) identity: Identity,
    pub(super) body: Bytes,
    /// What the body counts for.
    _share: Option<Share>,
    /// The values of the parts of the path in braces.
    path: Vec<(String, String)>,
}

impl Api {
    /// Answers a request to the endpoint with this number.
    pub(super) async fn serve(&self, number: usize, request: Request) -> Answer {
        let origin = request.headers().get(ORIGIN).cloned();
        let id = request_id::of(self, Remote::of(request.extensions()), request.headers());
        let span = self.span(number, &id, request.headers());
        // Boxed, since it is large, and would be moved into each of the futures around it.
        let answering = Box::pin(self.answer(number, request)).instrument(span.clone());
        let answer = answering_as(Arc::clone(&id), answering).await;
        let mut answer = answer.unwrap_or_else(|refusal| *refusal);
        span.record("status", answer.status().as_u16());
        if answer.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        request_id::tell(&id, answer.headers_mut());
        cors::allow(&self.accounts.settings, origin.as_ref(), answer.headers_mut());
        answer
    }

    fn span(&self, number: usize, id: &str, headers: &HeaderMap) -> Span {
        let Some(endpoint) = self.endpoints.get(number).filter(|_| spans::are_wanted()) else { return Span::none() };
        let verb = endpoint.verb.method_kind().verb().unwrap_or_default();
        spans::request(verb, &endpoint.route.path, id, TraceParent::of(headers).as_ref())
    }

    async fn answer(&self, number: usize, request: Request) -> Result<Answer, Box<Answer>> {
        let endpoint = self.endpoints.get(number).ok_or_else(|| Box::new(unauthorized()))?;
        let (head, body) = request.into_parts();
        let caller = self.recognize(endpoint, &head).await?;
        let counted = self.count(number, endpoint, &caller)?;
        let mut answer = match self.read(endpoint, head, body, caller).await {
            Ok(incoming) => self.answer_to_the_end(incoming, Arc::clone(endpoint)).await,
            Err(refusal) => *refusal,
        };
        if let Some(counted) = counted {
            counted.tell(answer.headers_mut());
        }
        Ok(answer)
    }

    /// Answers a request to its end, also if the client leaves: a client must not be able to leave between a wrong code and
    /// its count, or between a new password and the end of the old logins.
    async fn answer_to_the_end(&self, incoming: Incoming, endpoint: Arc<Endpoint>) -> Answer {
        let answering = async move { incoming.answer(&endpoint).await }.in_current_span();
        // A task has its own.
        let answering = match current_request() {
            Some(id) => self.server.host.tasks.spawn(answering_as(id, answering)),
            None => self.server.host.tasks.spawn(answering),
        };
        answering.await.unwrap_or_else(|_| failure(&DdpError::internal()))
    }

    /// Identifies the sender and checks the permission.
    async fn recognize(&self, endpoint: &Endpoint, head: &Parts) -> Result<Caller, Box<Answer>> {
        let peer = peer::describe(Remote::of(&head.extensions), &head.headers, &self.server.http.proxies.load());
        // A login is anonymous, even if the request has an old token.
        let identity = match endpoint.target {
            Target::Login => Ok(Identity::default()),
            _ => identity::identify(&self.accounts, &head.headers, &peer).await,
        };
        let identity = identity.map_err(|error| Box::new(self.failed(error, endpoint)))?;
        if endpoint.is_for_users() && identity.user.is_none() {
            return Err(Box::new(unauthorized()));
        }
        if let (Some(permission), Some(user)) = (endpoint.route.permission, &identity.user)
            && !self.may(user, permission).await.map_err(|error| Box::new(self.failed(error, endpoint)))?
        {
            return Err(Box::new(forbidden()));
        }
        Ok(Caller { peer, identity })
    }

    /// Counts the request for the network and the route, then for the user. Returns the count that the client is told.
    fn count(&self, number: usize, endpoint: &Endpoint, caller: &Caller) -> Result<Option<Counted>, Box<Answer>> {
        let settings = &self.accounts.settings;
        if !endpoint.has_limits() || !settings.get(&settings::REST_RATE_LIMIT) {
            return Ok(None);
        }
        let now = self.accounts.clock.now();
        let usual = |calls| WindowRule {
            calls: u32::try_from(settings.get(calls)).unwrap_or(u32::MAX),
            window: Duration::from_millis(settings.get(&settings::REST_RATE_LIMIT_WINDOW).try_into().unwrap_or(60_000)),
        };
        let own = endpoint.route.limit.map(|(calls, window)| WindowRule { calls, window });
        let rule = own.unwrap_or_else(|| usual(&settings::REST_RATE_LIMIT_CALLS));
        let of_address = self.limits.count_network(number, caller.peer.network(), rule, now);
        let of_user = caller
            .identity
            .user
            .clone()
            .map(|user| self.limits.count_user(user, usual(&settings::REST_RATE_LIMIT_USER_CALLS), now));
        match [Some(of_address), of_user].into_iter().flatten().find(Counted::is_too_many) {
            Some(refused) => {
                self.server.core.figures.refusals.count(Limit::RequestRate);
                Err(Box::new(refused.refuse()))
            }
            None => Ok(Some(of_address)),
        }
    }

    async fn read(
        &self,
        endpoint: &Endpoint,
        mut head: Parts,
        body: Body,
        Caller { peer, identity }: Caller,
    ) -> Result<Incoming, Box<Answer>> {
        let limits = self.server.limits();
        let share = self.server.hold_body(Source::of(&peer), &body, limits.request_bytes);
        let share = share.map_err(|NoShare| Box::new(busy()))?;
        let body = body::read(body, limits.request_bytes, limits.request_timeout).await;
        let body = body.inspect_err(|refused| self.count_refused(refused.status()))?;
        let path = if endpoint.has_path_values() { path_values(&mut head).await? } else { Vec::new() };
        Ok(Incoming {
            server: self.server.clone(),
            accounts: Arc::clone(&self.accounts),
            headers: head.headers,
            uri: head.uri,
            connection: request_connection(peer, identity.clone()),
            identity,
            body,
            _share: share,
            path,
        })
    }

    fn count_refused(&self, status: StatusCode) {
        let limit = match status {
            StatusCode::PAYLOAD_TOO_LARGE => Limit::RequestBytes,
            StatusCode::REQUEST_TIMEOUT => Limit::RequestTimeout,
            _ => return,
        };
        self.server.core.figures.refusals.count(limit);
    }

    async fn may(&self, user: &UserId, permission: &str) -> MethodResult<bool> {
        let user = self.accounts.store.user(user).await?;
        Ok(user.is_some_and(|user| self.accounts.permissions.has(&user, permission)))
    }

    fn failed(&self, error: MethodError, endpoint: &Endpoint) -> Answer {
        failure(&sanitize(error, "request", &endpoint.route.path, &self.server.core.random_id()))
    }
}

impl Incoming {
    async fn answer(self, endpoint: &Endpoint) -> Answer {
        // Boxed, since the largest of them would be moved into each of the futures around it, whatever is requested.
        match &endpoint.target {
            Target::Method(method) => Box::pin(self.run(endpoint, method)).await,
            Target::Login => Box::pin(login::login(self)).await,
            Target::Logout => Box::pin(login::logout(self)).await,
            Target::MethodCall | Target::AnonymousMethodCall => Box::pin(method_call::call(self)).await,
        }
    }

    /// Runs an endpoint. Its one parameter has the members of the body, the query and the path.
    async fn run(self, endpoint: &Endpoint, method: &Arc<Method>) -> Answer {
        let fields = match self.fields(endpoint) {
            Ok(fields) => fields,
            Err(refusal) => return *refusal,
        };
        let Ok(parameters) = Parameters::from_values(&[Value::Object(fields)]) else {
            return failure(&DdpError::match_failed());
        };
        let own_token = if endpoint.route.returns_own_token { self.header("x-auth-token") } else { None };
        let own_token = own_token.map(str::to_owned);
        let call =
            Invocation::of_client(&self.server.core, Arc::clone(method), self.connection, self.identity.user, None);
        match call.finish(parameters).await {
            Ok(result) => success(result.as_ref(), own_token),
            Err(error) => failure(&error),
        }
    }

    fn fields(&self, endpoint: &Endpoint) -> Result<Map<String, Value>, Box<Answer>> {
        let mut fields = self.object()?;
        let query = self.uri.query().map(|query| body::form(query.as_bytes())).unwrap_or_default();
        let takes = &endpoint.route.takes;
        for (name, value) in query {
            let field = takes.iter().find(|field| field.name == name);
            let value = match (field, value) {
                (Some(field), Value::String(text)) => field.read_text(text),
                (_, value) => value,
            };
            fields.insert(name, value);
        }
        fields.extend(self.path.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
        match takes.iter().find_map(|field| field.mistake(&fields)) {
            Some(mistake) => Err(Box::new(mistaken(&mistake))),
            None => Ok(fields),
        }
    }

    /// Returns the body as an object. An empty body has no members.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Box<Answer>> {
        body::object(&self.headers, &self.body)
    }

    /// Returns the value of a header. `None` if it is missing, empty, repeated, or not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        peer::single(&self.headers, name).filter(|value| !value.is_empty())
    }
}

fn busy() -> Answer {
    let sentence = "The server holds too much for clients of this network [error-too-busy]";
    refusal(StatusCode::SERVICE_UNAVAILABLE, sentence, "error-too-busy")
}

fn mistaken(mistake: &Mistake) -> Answer {
    match mistake {
        Mistake::Missing(name) => {
            let sentence = format!("The required \"{name}\" param is missing.");
            failure(&DdpError::new("error-parameter-required", sentence))
        }
        Mistake::Wrong { name, kind } => invalid(&format!("must be {}: {name}", kind.name())),
    }
}

async fn path_values(head: &mut Parts) -> Result<Vec<(String, String)>, Box<Answer>> {
    let values = RawPathParams::from_request_parts(head, &()).await;
    let values = values.map_err(|_| Box::new(invalid("The path is not UTF-8")))?;
    Ok(values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
