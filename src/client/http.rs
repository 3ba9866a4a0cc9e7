//! [`HttpClient`]: HTTP/1.1 over connections that are kept for the next request. [`RestClient`](super::RestClient) and
//! the conformance runner send their requests with it.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

use super::address::Address;
use super::error::{CallError, ConnectError};
use super::stream::Stream;

/// The maximum size of a response body, in bytes.
const RESPONSE_SIZE: usize = 64 << 20;

/// Sends requests and reads their responses. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient(Client<Connector, Full<Bytes>>);

impl HttpClient {
    /// Creates a client without connections. Without `tls` it trusts the authorities that browsers trust.
    pub(crate) fn new(tls: Option<Arc<ClientConfig>>) -> Self {
        let connector = Connector { tls };
        Self(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
    }

    /// Sends a request, whose URI must be absolute, and reads the response to its end.
    ///
    /// # Errors
    /// Returns [`CallError::Connect`] if there is no connection to the server, and [`CallError::Http`] if it does not
    /// answer in HTTP, or with a body of more than 64 MiB.
    pub(crate) async fn send(&self, request: Request<String>) -> Result<Response<Bytes>, CallError> {
        let (head, body) = self.open(request).await?.into_parts();
        let body = Limited::new(body, RESPONSE_SIZE).collect().await;
        let body = body.map_err(|error| CallError::Http(error.to_string()))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Sends a request, whose URI must be absolute. The body of the response can be read while it arrives.
    ///
    /// # Errors
    /// Returns [`CallError::Connect`] if there is no connection to the server, and [`CallError::Http`] if it does not
    /// answer in HTTP.
    pub(crate) async fn open(&self, request: Request<String>) -> Result<Response<Incoming>, CallError> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        self.0.request(request).await.map_err(|error| call_error(&error))
    }
}

/// Opens the connections of a client.
#[derive(Clone, Debug)]
struct Connector {
    tls: Option<Arc<ClientConfig>>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let tls = self.tls.clone();
        Box::pin(async move {
            let address: Address = server.to_string().parse()?;
            Stream::open(&address, tls.as_ref()).await.map(TokioIo::new)
        })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// The pool only lends the error of the connector.
fn call_error(error: &Error) -> CallError {
    let copy = |reason: &io::Error| io::Error::new(reason.kind(), reason.to_string());
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(ConnectError::Address(error)) => ConnectError::Address(error.clone()).into(),
        Some(ConnectError::Unreachable { host, reason }) => {
            ConnectError::Unreachable { host: host.clone(), reason: copy(reason) }.into()
        }
        Some(ConnectError::Tls { host, reason }) => {
            ConnectError::Tls { host: host.clone(), reason: copy(reason) }.into()
        }
        _ => CallError::Http(error.source().map_or_else(|| error.to_string(), ToString::to_string)),
    }
}
