//! [`ClientBuilder`]: the options of a client before it connects.

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
use super::two_factor::{Answer, Challenge, Passkeys, Prompter};
use crate::limits::Heartbeat;

/// Builds a [`Client`].
#[derive(Debug)]
#[must_use = "call `connect` to get a client"]
pub struct ClientBuilder {
    address: Result<Address, InvalidAddress>,
    options: ConnectionOptions,
    prompter: Option<Prompter>,
}

impl ClientBuilder {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.parse(), options: ConnectionOptions::default(), prompter: None }
    }

    /// Sets the prompt that is asked for a second factor.
    ///
    /// It is asked once per [`Challenge`], for one challenge at a time. It must not make gated calls on the same
    /// client: they would wait for its own answer. The closure is cloned for each challenge, together with what it
    /// captures.
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
        self.prompter = Some(Prompter::asking(self.prompter, ask));
        self
    }

    /// Sets the passkeys that answer before the prompt is asked. If none of them can, the prompt is asked for a code.
    pub fn passkeys(mut self, passkeys: impl Passkeys) -> Self {
        self.prompter = Some(Prompter::showing(self.prompter, passkeys));
        self
    }

    /// Sets how the client reconnects when its connection is lost. Default: [`Reconnect::default`].
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.options.reconnect = reconnect;
        self
    }

    /// Sets after what time of silence the server gets a ping, and the timeout for its answer. An interval of zero
    /// disables pings. Default, as in Meteor: 17.5 s and 15 s.
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.options.heartbeat = heartbeat;
        self
    }

    /// Sets the limits of the client. Default: [`ClientLimits::default`].
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Sets the timeout for opening a session. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// Adds a header to the request that opens the WebSocket.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the TLS configuration, for servers whose certificate is not signed by a public authority.
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.options.tls = Some(config);
        self
    }

    /// Opens a session. A failed first attempt is not repeated, whatever [`reconnect`](Self::reconnect) says.
    ///
    /// # Errors
    /// Returns a [`ConnectError`] if the address is invalid, or the session cannot be opened within the timeout.
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
