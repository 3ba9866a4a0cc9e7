//! [`TestClient`]: a client in the same process, for the tests of an application.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use bolide_protocol::ejson::CustomTypes;
use bolide_protocol::message::{ConnectRequest, MethodCall, Subscribe};
use bolide_protocol::two_factor::TwoFactorCode;
#[cfg(feature = "accounts")]
use bolide_protocol::two_factor::TwoFactorMethod;
use bolide_protocol::{ClientMessage, DdpError, RawJson, ServerMessage, Version, ejson};
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(feature = "accounts")]
use sha2::Digest as _;
use tokio::time::{Instant, timeout_at};

use super::documents::Documents;
use crate::{App, FromServer, MemoryConnection};

/// How long a client waits by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of messages that the panic of a wait shows.
const SHOWN_MESSAGES: usize = 10;

/// A client in the same process, which sends and receives real DDP frames.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use bolide::prelude::*;
/// use bolide::testing::TestClient;
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = App::builder()
///     .method("add", TwoFactor::none(), async |_: Context, a: i32, b: i32| Ok(a + b))
///     .publish("items", async |subscription: Subscription, kind: String| {
///         subscription.added("items", "1", &json!({ "kind": kind })).await
///     })
///     .build()?;
/// let mut client = TestClient::connect(&app).await;
///
/// assert_eq!(client.call::<i32>("add", &(1, 2)).await?, 3);
/// assert_eq!(client.call::<i32>("add", &("one", 2)).await.unwrap_err().error, 400.into());
///
/// let items = client.subscribe("items", &["ink"]).await?;
/// assert_eq!(client.documents("items"), BTreeMap::from([("1".to_owned(), json!({ "kind": "ink" }))]));
/// client.unsubscribe(&items).await;
/// assert!(client.documents::<Value>("items").is_empty());
/// # Ok(())
/// # }
/// ```
///
/// Methods that take parameters accept a tuple, an array or a `Vec`, or `()` for none. Methods that wait apply the
/// messages that arrive meanwhile to the [documents](Self::documents) and answer the server's pings; they do not return
/// the other messages later.
///
/// Dropping the client is like losing its socket: the server keeps the session for
/// [`Limits::resume_grace`](crate::Limits::resume_grace). [`disconnect`](Self::disconnect) ends the session.
///
/// # Panics
/// A test should fail where something goes wrong, so these methods panic
/// - if what they wait for does not arrive within the [timeout](Self::with_timeout), or the server closes the
///   connection first. The message says what the client waited for, and what it received instead;
/// - if a result, or a document, cannot be read as the requested type;
/// - if a message of the server contradicts the messages before it, for example if it adds a document twice.
pub struct TestClient {
    connection: MemoryConnection,
    types: CustomTypes,
    session: String,
    /// The number of received messages, other than `ping` and `pong`.
    received: u64,
    documents: Documents,
    last_id: u64,
    timeout: Duration,
}

/// The id of a subscription of a [`TestClient`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionId(String);

/// A [`TestClient`] that has lost its connection, and can resume its session.
pub struct CutClient {
    session: String,
    received: u64,
    documents: Documents,
    last_id: u64,
    timeout: Duration,
}

impl TestClient {
    /// Connects to an app and opens a session. Call it inside a tokio runtime.
    pub async fn connect(app: &App) -> Self {
        let mut client = Self::open(app, CutClient::default());
        client.start_session(None).await;
        client
    }

    /// Sets how long the client waits for a message. The default is 10 seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Calls a method, and waits for its result and for its `updated` message. A method without a result returns `null`,
    /// which `()` accepts.
    ///
    /// # Errors
    /// Returns the error with which the server answers.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Result<T, DdpError> {
        self.call_raw(method, to_params(params)).await
    }

    /// Calls a method with the code of a second factor, such as `TwoFactorCode::new("123456", "totp")`.
    ///
    /// # Errors
    /// Returns the error with which the server answers.
    pub async fn call_with_code<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &(impl Serialize + ?Sized),
        code: &TwoFactorCode,
    ) -> Result<T, DdpError> {
        let mut params = to_params(params);
        params.push(to_raw(&code.to_parameter()));
        self.call_raw(method, params).await
    }

    /// Calls a method with the password as the second factor, which users without another factor are asked for.
    ///
    /// ```
    /// use bolide::prelude::*;
    /// use bolide::testing::TestClient;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> MethodResult<()> {
    /// let app = App::builder()
    ///     .accounts(Accounts::sqlite(":memory:").await?)
    ///     .method("pay", TwoFactor::required(), async |_: SignedIn| Ok("paid"))
    ///     .build()?;
    /// let accounts = app.accounts().expect("accounts were added");
    /// accounts.add_user("ada", &[], &[], Some("correct horse")).await?;
    /// // By default a new user is not asked for five minutes.
    /// accounts.set("Accounts_TwoFactorAuthentication_RememberFor", 0.into()).await?;
    ///
    /// let mut client = TestClient::connect(&app).await;
    /// client.login("ada", "correct horse").await?;
    /// let refused = client.call::<String>("pay", &()).await.unwrap_err();
    /// assert_eq!(refused.error, "totp-required".into());
    /// assert_eq!(client.call_with_password::<String>("pay", &(), "correct horse").await?, "paid");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the error with which the server answers.
    #[cfg(feature = "accounts")]
    pub async fn call_with_password<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &(impl Serialize + ?Sized),
        password: &str,
    ) -> Result<T, DdpError> {
        let digest = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(password));
        self.call_with_code(method, params, &TwoFactorCode::new(digest, TwoFactorMethod::Password.as_str())).await
    }

    /// Signs in with a password. `user` is an e-mail address if it contains an `@`, otherwise a user name.
    ///
    /// # Errors
    /// Returns the error with which the server answers, for example if it asks for a second factor.
    #[cfg(feature = "accounts")]
    pub async fn login(&mut self, user: &str, password: &str) -> Result<crate::UserId, DdpError> {
        let selector = if user.contains('@') { "email" } else { "username" };
        self.login_with(&serde_json::json!({ "user": { selector: user }, "password": password })).await
    }

    /// Signs in with the token of an earlier login, of
    /// [`AccountsHandle::issue_token`](crate::accounts::AccountsHandle::issue_token), or with a personal access token.
    ///
    /// # Errors
    /// Returns the error with which the server answers.
    #[cfg(feature = "accounts")]
    pub async fn login_with_token(&mut self, token: &str) -> Result<crate::UserId, DdpError> {
        self.login_with(&serde_json::json!({ "resume": token })).await
    }

    /// Subscribes to a publication, and waits until the server has sent the initial documents.
    ///
    /// # Errors
    /// Returns the error with which the server rejects the subscription. If the publication stops without an error, this
    /// is `404`, `Subscription stopped`.
    pub async fn subscribe(
        &mut self,
        publication: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Result<SubscriptionId, DdpError> {
        let id = self.next_id();
        let params = Some(to_raw(&to_params(params)));
        self.send(&ClientMessage::Sub(Subscribe { id: id.clone(), name: publication.to_owned(), params })).await;
        self.wait(&format!("`{publication}` to be ready"), |_, message| match message {
            ServerMessage::Ready { subs } if subs.contains(&id) => Some(Ok(SubscriptionId(id.clone()))),
            ServerMessage::Nosub { id: Some(ended), error } if *ended == to_raw(&id) => {
                Some(Err(error.clone().unwrap_or_else(|| DdpError::new(404, "Subscription stopped"))))
            }
            _ => None,
        })
        .await
    }

    /// Ends a subscription, and waits until the server has removed its documents.
    pub async fn unsubscribe(&mut self, subscription: &SubscriptionId) {
        let id = to_raw(subscription.as_str());
        self.send(&ClientMessage::Unsub { id: Some(id.clone()) }).await;
        self.wait("the end of a subscription", |_, message| {
            matches!(message, ServerMessage::Nosub { id: Some(ended), .. } if *ended == id).then_some(())
        })
        .await;
    }

    /// Returns the documents of a collection that the client has, by id. The fields of each document are read as a `T`;
    /// `serde_json::Value` and [`Ejson`](crate::protocol::Ejson) accept all. Ids are those on the wire, see
    /// [`DocumentId::to_wire`](crate::protocol::DocumentId::to_wire).
    ///
    /// Events of streams are not documents.
    ///
    /// # Panics
    /// Panics if a document cannot be read as a `T`.
    #[must_use]
    pub fn documents<T: DeserializeOwned>(&self, collection: &str) -> BTreeMap<String, T> {
        match self.documents.read(collection, &self.types) {
            Ok(documents) => documents,
            Err(error) => panic!("the documents of `{collection}` cannot be read as the requested type: {error}"),
        }
    }

    /// Returns the ids of the documents of a collection that the client has, in order.
    #[must_use]
    pub fn document_ids(&self, collection: &str) -> Vec<String> {
        self.documents.ids(collection)
    }

    /// Returns the id of the session, 17 characters.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Sends a message, and does not wait for an answer.
    pub async fn send(&self, message: &ClientMessage) {
        self.send_frame(message.to_frame()).await;
    }

    /// Sends a frame, which may be malformed.
    pub async fn send_frame(&self, frame: impl Into<String>) {
        self.connection.send(frame).await;
    }

    /// Waits for the next message of the server, other than a `ping`.
    pub async fn next_message(&mut self) -> ServerMessage {
        self.wait("the next message", |_, message| Some(message.clone())).await
    }

    /// Waits for a message for which `is_it` returns true. `what` describes it, for the panic.
    pub async fn wait_for(&mut self, what: &str, mut is_it: impl FnMut(&ServerMessage) -> bool) -> ServerMessage {
        self.wait(what, |_, message| is_it(message).then(|| message.clone())).await
    }

    /// Waits until `is_so` returns true, which is asked at once and after each message. `what` describes it, for the
    /// panic.
    pub async fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        if !is_so(self) {
            self.wait(what, |client, _| is_so(client).then_some(())).await;
        }
    }

    /// Returns all messages that the server has sent by the time it answers a `ping`. Use it to check that nothing, or
    /// nothing more, is sent.
    pub async fn drain(&mut self) -> Vec<ServerMessage> {
        let id = to_raw(&self.next_id());
        self.send(&ClientMessage::Ping { id: Some(id.clone()) }).await;
        let mut messages = Vec::new();
        self.wait("the answer to a ping", |_, message| {
            if matches!(message, ServerMessage::Pong { id: Some(answered) } if *answered == id) {
                return Some(());
            }
            messages.push(message.clone());
            None
        })
        .await;
        messages
    }

    /// Waits until the server closes the connection. Returns the WebSocket close code.
    pub async fn close_code(&mut self) -> u16 {
        let deadline = Instant::now() + self.timeout;
        let mut received = Received::default();
        loop {
            match self.receive(deadline).await {
                Arrival::Frame(frame) => drop(self.accept(&frame, &mut received).await),
                Arrival::Closed(code) => return code,
                other => self.fail("the server to close the connection", &other, &received),
            }
        }
    }

    /// Ends the session with a `disconnect` message.
    pub async fn disconnect(self) {
        self.send(&ClientMessage::Disconnect).await;
    }

    /// Loses the connection, and keeps what is needed to [resume](CutClient::resume) the session.
    #[must_use]
    pub fn cut(self) -> CutClient {
        let Self { session, received, documents, last_id, timeout, .. } = self;
        CutClient { session, received, documents, last_id, timeout }
    }

    fn open(app: &App, before: CutClient) -> Self {
        let CutClient { session, received, documents, last_id, timeout } = before;
        Self {
            connection: app.connect(),
            types: app.core().types.clone(),
            session,
            received,
            documents,
            last_id,
            timeout,
        }
    }

    async fn start_session(&mut self, resumes: Option<String>) {
        let version = Version::One.to_string();
        let received_count = resumes.as_ref().map(|_| self.received);
        let support = vec![version.clone()];
        let connect = ConnectRequest { version: Some(version), support, session: resumes, received_count };
        self.send(&ClientMessage::Connect(connect)).await;
        let connected = self.wait("a session", |_, message| match message {
            ServerMessage::Connected { session } => Some(session.clone()),
            _ => None,
        });
        let session = connected.await;
        if session != self.session {
            self.session = session;
            self.received = 1;
            self.documents = Documents::default();
        }
    }

    #[cfg(feature = "accounts")]
    async fn login_with(&mut self, options: &serde_json::Value) -> Result<crate::UserId, DdpError> {
        #[derive(serde::Deserialize)]
        struct Login {
            id: crate::UserId,
        }
        Ok(self.call::<Login>("login", &[options]).await?.id)
    }

    async fn call_raw<T: DeserializeOwned>(&mut self, method: &str, params: Vec<RawJson>) -> Result<T, DdpError> {
        let id = self.next_id();
        let params = Some(to_raw(&params));
        let call = MethodCall { id: id.clone(), method: method.to_owned(), params, random_seed: None };
        self.send(&ClientMessage::Method(call)).await;
        let (mut answer, mut is_updated) = (None, false);
        let what = format!("the result of `{method}`");
        let outcome = self.wait(&what, |_, message| {
            match message {
                ServerMessage::Result { id: answered, outcome } if *answered == id => answer = Some(outcome.clone()),
                ServerMessage::Updated { methods } => is_updated |= methods.contains(&id),
                _ => {}
            }
            if is_updated { answer.take() } else { None }
        });
        let result = outcome.await?.unwrap_or_else(RawJson::null);
        match ejson::from_raw(&result, &self.types) {
            Ok(result) => Ok(result),
            Err(error) => panic!("the result of `{method}` cannot be read as the requested type: {error}: {result:?}"),
        }
    }

    fn next_id(&mut self) -> String {
        self.last_id += 1;
        self.last_id.to_string()
    }

    /// Receives messages until `pick` returns a value.
    async fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Self, &ServerMessage) -> Option<T>) -> T {
        let deadline = Instant::now() + self.timeout;
        let mut received = Received::default();
        loop {
            let arrival = self.receive(deadline).await;
            let Arrival::Frame(frame) = arrival else { self.fail(what, &arrival, &received) };
            let message = self.accept(&frame, &mut received).await;
            if let Some(picked) = message.and_then(|message| pick(self, &message)) {
                return picked;
            }
        }
    }

    async fn receive(&mut self, deadline: Instant) -> Arrival {
        match timeout_at(deadline, self.connection.receive()).await {
            Ok(Some(FromServer::Frame(frame))) => Arrival::Frame(frame),
            Ok(Some(FromServer::Closed(code))) => Arrival::Closed(code),
            Ok(None) => Arrival::End,
            Err(_) => Arrival::Timeout,
        }
    }

    /// Counts and applies a message. Returns `None` for a `ping`, which is answered.
    async fn accept(&mut self, frame: &str, received: &mut Received) -> Option<ServerMessage> {
        received.push(frame);
        let message = match ServerMessage::parse(frame) {
            Ok(message) => message,
            Err(error) => panic!("the server sent a malformed message: {error}: {frame}"),
        };
        match &message {
            ServerMessage::Ping { .. } => {
                self.send(&ClientMessage::Pong).await;
                return None;
            }
            ServerMessage::Pong { .. } => {}
            _ => self.received += 1,
        }
        if let Err(reason) = self.documents.apply(&message) {
            panic!("the server {reason}: {frame}");
        }
        Some(message)
    }

    fn fail(&self, what: &str, arrival: &Arrival, received: &Received) -> ! {
        let timeout = self.timeout;
        let reason = match arrival {
            Arrival::Closed(code) => format!("the server closed the connection with {code}"),
            Arrival::End => "the server dropped the connection".to_owned(),
            Arrival::Frame(_) | Arrival::Timeout => format!("the timeout of {timeout:?} elapsed"),
        };
        panic!("waited for {what}, but {reason}; {received}");
    }
}

impl CutClient {
    /// Connects to the app again and asks for the session, with the number of messages received so far. If the server
    /// no longer has the session, the client has a new one without documents; compare [`TestClient::session`].
    pub async fn resume(self, app: &App) -> TestClient {
        let session = self.session.clone();
        let mut client = TestClient::open(app, self);
        client.start_session(Some(session)).await;
        client
    }

    /// Returns the id of the session.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }
}

impl Default for CutClient {
    fn default() -> Self {
        Self { session: String::new(), received: 0, documents: Documents::default(), last_id: 0, timeout: TIMEOUT }
    }
}

impl SubscriptionId {
    /// Returns the id on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TestClient").field("received", &self.received).finish_non_exhaustive()
    }
}

impl fmt::Debug for CutClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CutClient").field("received", &self.received).finish_non_exhaustive()
    }
}

/// What a wait receives next.
enum Arrival {
    Frame(String),
    Closed(u16),
    End,
    Timeout,
}

/// The last messages that arrived during a wait, for its panic.
#[derive(Default)]
struct Received {
    count: usize,
    last: VecDeque<String>,
}

impl Received {
    fn push(&mut self, frame: &str) {
        self.count += 1;
        if self.last.len() == SHOWN_MESSAGES {
            self.last.pop_front();
        }
        self.last.push_back(frame.to_owned());
    }
}

impl fmt::Display for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => return formatter.write_str("no message arrived meanwhile"),
            count if count > SHOWN_MESSAGES => write!(formatter, "the last of {count} messages meanwhile:")?,
            _ => formatter.write_str("messages meanwhile:")?,
        }
        self.last.iter().try_for_each(|frame| write!(formatter, "\n  {frame}"))
    }
}

/// Writes parameters as an array.
fn to_params(params: &(impl Serialize + ?Sized)) -> Vec<RawJson> {
    let raw = to_raw(params);
    // `()` is written as null.
    if raw.get() == "null" {
        return Vec::new();
    }
    raw.elements().unwrap_or_else(|| panic!("parameters must be a tuple, an array, a `Vec` or `()`, not {raw:?}"))
}

fn to_raw(value: &(impl Serialize + ?Sized)) -> RawJson {
    match ejson::to_raw(value) {
        Ok(raw) => raw,
        Err(error) => panic!("the parameters cannot be written as EJSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, TwoFactor};

    async fn client() -> TestClient {
        let app = App::builder()
            .method("leave", TwoFactor::none(), async |context: Context| {
                context.connection().unwrap().close();
                std::future::pending::<crate::MethodResult<()>>().await
            })
            .build()
            .unwrap();
        TestClient::connect(&app).await.with_timeout(Duration::from_millis(20))
    }

    #[tokio::test]
    #[should_panic(
        expected = "waited for a wonder, but the timeout of 20ms elapsed; messages meanwhile:\n  {\"msg\":\"pong\"}"
    )]
    async fn a_wait_that_times_out_shows_what_was_received() {
        let mut client = client().await;
        client.send(&ClientMessage::Ping { id: None }).await;
        client.wait_for("a wonder", |_| false).await;
    }

    #[tokio::test]
    #[should_panic(expected = "waited for the result of `leave`, but the server closed the connection with 1000")]
    async fn a_wait_that_the_server_ends_shows_the_close_code() {
        let _never = client().await.call::<()>("leave", &()).await;
    }
}
