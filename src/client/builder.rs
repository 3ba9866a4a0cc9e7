//! [`ClientBuilder`]: how a client is to be, before it connects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::Client;
use super::address::{Address, InvalidAddress};
use super::error::ConnectError;
use super::options::{ClientLimits, Reconnect};
use super::shared::{Handle, Shared};
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
    options: Options,
    prompter: Option<Prompter>,
}

/// Where to connect, and how.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) address: Address,
    pub(super) options: Options,
}

pub(super) struct Options {
    pub(super) headers: Vec<(String, String)>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) connect_timeout: Duration,
    pub(super) heartbeat: Heartbeat,
    pub(super) reconnect: Reconnect,
    pub(super) limits: ClientLimits,
}

impl ClientBuilder {
    pub(super) fn new(address: &str) -> Self {
        let options = Options {
            headers: Vec::new(),
            tls: None,
            connect_timeout: Duration::from_secs(10),
            heartbeat: Heartbeat { interval: Duration::from_millis(17_500), timeout: Duration::from_secs(15) },
            reconnect: Reconnect::default(),
            limits: ClientLimits::default(),
        };
        Self { address: address.parse(), options, prompter: None }
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
        let handle = Handle::new(Arc::clone(&shared), &limits, self.prompter);
        tokio::spawn(task::run(shared, destination, connected));
        Ok(Client::new(handle))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may be secrets.
        formatter.debug_struct("Options").field("limits", &self.limits).finish_non_exhaustive()
    }
}
