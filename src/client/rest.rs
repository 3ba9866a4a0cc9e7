//! [`RestClient`]: method calls and logins over HTTP, as Rocket.Chat and Bolide offer them under `/api/v1`, with the
//! same prompt for the second factor as [`Client`](super::Client).

use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::ejson::{self, CustomTypes};
use bolide_protocol::error::ErrorCode;
use bolide_protocol::{DdpError, RawJson};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Bytes;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::address::{Address, InvalidAddress};
use super::call::as_array;
use super::error::{CallError, ConnectError};
use super::http::HttpClient;
use super::two_factor::{Answer, Challenge, Passkeys, Prompter, Proof, Subject, prove};

/// Calls methods over HTTP. Connections are kept open for later requests.
///
/// ```no_run
/// # async fn example() -> Result<(), bolide::client::CallError> {
/// use bolide::client::RestClient;
///
/// let mut client = RestClient::new("https://chat.example.com")?;
/// client.login("ada", "correct horse").await?;
/// let sum: f64 = client.call("add", &(1, 2)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RestClient {
    address: Address,
    http: HttpClient,
    timeout: Duration,
    prompter: Option<Prompter>,
    account: Option<RestAccount>,
}

/// The user who is signed in over HTTP.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestAccount {
    user_id: String,
    auth_token: String,
}

impl RestClient {
    /// Creates a client of the server at `address`. The address of its WebSocket is accepted as well.
    ///
    /// # Errors
    /// Returns [`ConnectError::Address`] if it is not a valid [`Address`].
    pub fn new(address: &str) -> Result<Self, ConnectError> {
        let address = address.parse().map_err(|error: InvalidAddress| ConnectError::Address(error))?;
        let http = HttpClient::new(None);
        Ok(Self { address, http, timeout: Duration::from_mins(1), prompter: None, account: None })
    }

    /// Sets the prompt for the second factor, as [`ClientBuilder::two_factor`](super::ClientBuilder::two_factor) does.
    #[must_use]
    pub fn two_factor<Ask, Asked>(mut self, ask: Ask) -> Self
    where
        Ask: FnOnce(Challenge) -> Asked + Clone + Send + Sync + 'static,
        Asked: Future<Output: Into<Answer>> + Send + 'static,
    {
        self.prompter = Some(Prompter::asking(self.prompter.take(), ask));
        self
    }

    /// Sets the passkeys that answer before the prompt is asked, as
    /// [`ClientBuilder::passkeys`](super::ClientBuilder::passkeys) does.
    #[must_use]
    pub fn passkeys(mut self, passkeys: impl Passkeys) -> Self {
        self.prompter = Some(Prompter::showing(self.prompter.take(), passkeys));
        self
    }

    /// Sets the TLS configuration, for servers whose certificate is not signed by a public authority.
    #[must_use]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.http = HttpClient::new(Some(config));
        self
    }

    /// Sets the timeout for a request. Default: 60 s.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Authenticates later requests with the token of an earlier login.
    #[must_use]
    pub fn signed_in(mut self, user_id: &str, token: &str) -> Self {
        self.account = Some(RestAccount { user_id: user_id.to_owned(), auth_token: token.to_owned() });
        self
    }

    /// Signs in. Later requests are authenticated with the returned token.
    ///
    /// # Errors
    /// Returns [`CallError::Server`] if the server rejects the login, and the errors of a request.
    pub async fn login(&mut self, user: &str, password: &str) -> Result<&RestAccount, CallError> {
        let client = &*self;
        let account = prove(client.prompter.as_ref(), &Subject::Login, |proof| async move {
            let mut body = json!({ "user": user, "password": password });
            if let Some(proof) = proof {
                body["code"] = proof.code.code().into();
            }
            let answer = client.post("/api/v1/login", &body, None).await?;
            account_of(&answer)
        })
        .await?;
        Ok(self.account.insert(account))
    }

    /// Calls a method through `POST /api/v1/method.call/:method`, or `method.callAnon` if no user is signed in.
    ///
    /// # Errors
    /// Returns the errors of [`Client::call`](super::Client::call).
    pub async fn call<Output: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<Output, CallError> {
        let result = self.outcome(method, params).await?.unwrap_or(RawJson::null());
        ejson::from_raw(&result, &CustomTypes::default()).map_err(CallError::Result)
    }

    /// Calls a method and returns its result as EJSON text, or `None` if the method returns nothing.
    ///
    /// # Errors
    /// Returns the errors of [`call`](Self::call), except [`CallError::Result`].
    pub async fn outcome(&self, method: &str, params: &impl Serialize) -> Result<Option<RawJson>, CallError> {
        let params = as_array(params).map_err(CallError::Parameters)?;
        let message = json!({ "msg": "method", "id": "1", "method": method, "params": params }).to_string();
        let (body, path) = (json!({ "message": message }), self.path_of(method));
        let (body, path) = (&body, &*path);
        let subject = Subject::Method(method.to_owned());
        prove(self.prompter.as_ref(), &subject, |proof| async move {
            result_of(&self.post(path, body, proof.as_ref()).await?)
        })
        .await
    }

    /// The name in the path is only a label; the server reads the one in the message.
    fn path_of(&self, method: &str) -> String {
        let endpoint = if self.account.is_some() { "method.call" } else { "method.callAnon" };
        let label: String = method.replace('/', ":").bytes().map(escaped).collect();
        format!("/api/v1/{endpoint}/{label}")
    }

    async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
        proof: Option<&Proof>,
    ) -> Result<Response<Bytes>, CallError> {
        let exchange = self.http.send(self.request(path, body, proof)?);
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(ConnectError::Timeout(self.timeout).into()))
    }

    fn request(
        &self,
        path: &str,
        body: &serde_json::Value,
        proof: Option<&Proof>,
    ) -> Result<Request<String>, CallError> {
        let mut request = Request::new(body.to_string());
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            self.address.rest(path).parse().map_err(|_| CallError::Http(format!("`{path}` is not a path")))?;
        let headers = request.headers_mut();
        set(headers, CONTENT_TYPE, "application/json")?;
        if let Some(account) = &self.account {
            set(headers, HeaderName::from_static("x-user-id"), &account.user_id)?;
            set(headers, HeaderName::from_static("x-auth-token"), &account.auth_token)?;
        }
        if let Some(Proof { code, .. }) = proof {
            set(headers, HeaderName::from_static("x-2fa-code"), code.code())?;
            set(headers, HeaderName::from_static("x-2fa-method"), code.method())?;
        }
        Ok(request)
    }
}

impl RestAccount {
    /// Returns the id of the user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Returns the login token, which is a secret.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.auth_token
    }
}

impl std::fmt::Debug for RestAccount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RestAccount").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// Encodes a byte of a path.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b":._-".contains(&byte) {
        return char::from(byte).to_string();
    }
    format!("%{byte:02X}")
}

fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, CallError> {
    serde_json::from_slice(answer.body()).map_err(|_| CallError::Http(format!("status {}", answer.status())))
}

/// The response of a server that rejects the request itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    #[serde(default)]
    error: Option<ErrorCode>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    details: Option<RawJson>,
}

fn refusal_of(answer: &Response<Bytes>) -> CallError {
    let refusal = match read::<Refusal>(answer) {
        Ok(refusal) => refusal,
        Err(error) => return error,
    };
    let code = refusal.error_type.map(ErrorCode::Name).or(refusal.error);
    let code = code.unwrap_or_else(|| i64::from(answer.status().as_u16()).into());
    CallError::Server(DdpError { error: code, reason: refusal.message, details: refusal.details })
}

fn account_of(answer: &Response<Bytes>) -> Result<RestAccount, CallError> {
    #[derive(Deserialize)]
    struct LoggedIn {
        data: RestAccount,
    }
    match answer.status() {
        StatusCode::OK => read::<LoggedIn>(answer).map(|answer| answer.data),
        _ => Err(refusal_of(answer)),
    }
}

/// The result is a DDP message in a string, whatever the status: older servers send 200 if a method fails.
fn result_of(answer: &Response<Bytes>) -> Result<Option<RawJson>, CallError> {
    #[derive(Deserialize)]
    struct Wrapped {
        message: String,
    }
    #[derive(Deserialize)]
    struct Outcome {
        msg: String,
        result: Option<RawJson>,
        error: Option<DdpError>,
    }
    let wrapped = read::<Wrapped>(answer).map(|wrapped| serde_json::from_str::<Outcome>(&wrapped.message));
    match wrapped {
        Ok(Ok(Outcome { error: Some(error), .. })) => Err(CallError::Server(error)),
        Ok(Ok(Outcome { msg, result, .. })) if msg == "result" => Ok(result),
        _ => Err(refusal_of(answer)),
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), CallError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| ConnectError::Header(name.to_string()))?;
    value.set_sensitive(name != CONTENT_TYPE);
    headers.insert(name, value);
    Ok(())
}
