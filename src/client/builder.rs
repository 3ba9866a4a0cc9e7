//! [`ClientBuilder`]: how a client is to be, before it connects.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::Client;
use super::address::{Address, InvalidAddress};
use super::destination::{ConnectionOptions, Destination};
use super::error::ConnectError;
use super::options::{ClientLimits, Reconnect};
use super::shared::{ClientInner, Shared};
use super::socket::connect;
use super::status::Status;
use super::task;
use super::two_factor::{Answer, Challenge, Prompter};
use crate::limits::Heartbeat;

/// Builds a [`Client`].
#[derive(Debug)]
#[must_use = "a client exists when it has connected"]
pub struct ClientBuilder {
    address: Result<Address, InvalidAddress>,
    options: ConnectionOptions,
    prompter: Option<Prompter>,
}

impl ClientBuilder {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.parse(), options: ConnectionOptions::default(), prompter: None }
    }

    /// Whom to ask for a second factor. It is asked once per [`Challenge`] and one challenge at a time; it must not make
    /// gated calls on the same client, which would wait for its own answer. A closure that captures something clones it.
    ///
    /// ```no_run
    /// # async fn ask_the_user(text: String) -> Option<String> { None }
    /// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
    /// use bolide::client::{Challenge, Client};
    ///
    /// let client = Client::builder("wss://chat.example.com")
    ///     .two_factor(async |challenge: Challenge| ask_the_user(format!("Your {} code", challenge.method())).await)
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn two_factor<Ask, Asked>(mut self, ask: Ask) -> Self
    where
        Ask: FnOnce(Challenge) -> Asked + Clone + Send + Sync + 'static,
        Asked: Future<Output: Into<Answer>> + Send + 'static,
    {
        self.prompter = Some(Prompter::new(ask));
        self
    }

    /// How it comes back when its connection is lost.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.options.reconnect = reconnect;
        self
    }

    /// How often a silent server is asked whether it is still there, and how long it may take to say so. An interval of
    /// zero: never. The default is Meteor's, 17.5 s and 15 s.
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.options.heartbeat = heartbeat;
        self
    }

    /// What bounds it.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.options.limits = limits;
        self
    }

    /// How long opening a session may take. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// A header of the WebSocket's request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.headers.push((name.into(), value.into()));
        self
    }

    /// How to speak TLS, for servers whose certificate is not signed by a public authority.
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.options.tls = Some(config);
        self
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`ConnectError`] says why there is none. The first attempt is not repeated.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let destination = Destination { address: self.address?, options: self.options };
        let limits = destination.options.limits;
        let shared = Arc::new(Shared::new(&limits));
        let connected = connect(&destination, |version| shared.state().connect_request(version)).await?;
        shared.state().connected(connected.session.clone());
        shared.status.send_replace(Status::Connected { resumed: false });
        let inner = ClientInner::new(Arc::clone(&shared), &limits, self.prompter);
        tokio::spawn(task::run(shared, destination, connected));
        Ok(Client::new(inner))
    }
}
