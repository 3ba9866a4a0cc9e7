//! A client for DDP servers: Bolide, Meteor and Rocket.Chat.
//!
//! ```no_run
//! use bolide::client::{Challenge, Client, Login};
//!
//! # async fn ask_the_user(_: &Challenge) -> Option<String> { None }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("wss://chat.example.com")
//!     .two_factor(async |challenge: Challenge| ask_the_user(&challenge).await)
//!     .connect()
//!     .await?;
//! client.login(Login::password("ada", "correct horse")).await?;
//! let sum: f64 = client.call("add", &(1, 2)).await?;
//!
//! let mut items = client.subscribe("items", &())?;
//! items.ready().await?;
//! for item in client.documents("items") {
//!     println!("{}", item.to_json());
//! }
//! while let Some(change) = items.next().await {
//!     println!("{change:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - Calls are pipelined: calls that are awaited together are sent together.
//! - The client reconnects by itself. If the server supports it, the session is resumed; otherwise the client signs in
//!   and subscribes again, and the local documents are updated to those of the server. [`Resend`] decides whether calls
//!   without a result are sent again.
//! - Futures may be dropped at any time. A call that was not sent yet is then not sent.
//!
//! # Without the server
//!
//! A program that is only a client does not compile the server, and depends on about 80 crates:
//!
//! ```toml
//! [dependencies]
//! bolide = { version = "0.1", default-features = false, features = ["client"] }
//! ```
//!
//! # In this module
//!
//! In reading order: [`ClientBuilder`] and [`Client`]; [`Call`], [`Login`] and [`Subscription`]; [`Challenge`]; then
//! the rules of DDP without IO (`state`), and the task that does the IO (`task`).

mod address;
mod builder;
mod call;
mod change;
mod changes;
mod destination;
mod document;
mod error;
pub(crate) mod http;
mod login;
mod options;
mod rest;
mod shared;
mod socket;
mod state;
mod status;
pub(crate) mod stream;
mod subscription;
mod task;
#[cfg(all(test, feature = "conformance"))]
mod tests;
mod two_factor;

use std::sync::Arc;

use bolide_protocol::DocumentId;
use bolide_protocol::ejson::DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::address::{Address, InvalidAddress};
pub use self::builder::ClientBuilder;
pub use self::call::Call;
pub use self::change::Change;
pub use self::changes::Changes;
pub use self::document::{Document, Fields};
pub use self::error::{CallError, ConnectError};
pub use self::login::Login;
pub use self::options::{ClientLimits, Reconnect, Resend};
pub use self::rest::{RestAccount, RestClient};
pub use self::state::{Account, SubscriptionStatus};
pub use self::status::Status;
pub use self::subscription::Subscription;
pub use self::two_factor::{Answer, Challenge, PasskeyFuture, Passkeys, Subject};
pub use crate::limits::Heartbeat;
pub use bolide_protocol::two_factor::TwoFactorMethod;

use self::call::{as_array, make};
use self::shared::ClientInner;
use self::state::{Purpose, Request};
use self::two_factor::prove;

/// A client of a DDP server. It is cheap to clone, and is closed when the last clone and the last subscription are
/// dropped.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientInner>);

impl Client {
    /// Returns a builder, to connect with options. See [`Address`] for the accepted addresses.
    pub fn builder(address: &str) -> ClientBuilder {
        ClientBuilder::new(address)
    }

    /// Connects with default options.
    ///
    /// # Errors
    /// Returns the errors of [`ClientBuilder::connect`].
    pub async fn connect(address: &str) -> Result<Self, ConnectError> {
        Self::builder(address).connect().await
    }

    fn new(inner: ClientInner) -> Self {
        Self(Arc::new(inner))
    }

    /// Calls a method when the returned [`Call`] is awaited. `params` is a tuple, an array or a `Vec`, or `()` for no
    /// parameters. The result is read as `Output`; [`Ejson`](crate::protocol::Ejson) accepts any value. When the result
    /// is returned, the client already has the changes that the method made to subscribed documents.
    ///
    /// If the server asks for a second factor, the client prompts for it and makes the call again, see
    /// [`ClientBuilder::two_factor`].
    pub fn call<Output: DeserializeOwned>(&self, method: &str, params: &impl Serialize) -> Call<Output> {
        Call::new(Arc::clone(&self.0), method, params)
    }

    /// Signs in. After a reconnection the client signs in again by itself, with the token that the server has returned.
    ///
    /// # Errors
    /// Returns [`CallError::Server`] if the server rejects the login, and the errors of a call.
    pub async fn login(&self, mut login: Login) -> Result<Account, CallError> {
        let client = &*self.0;
        let outcome = prove(client.prompter.as_ref(), &Subject::Login, |code| {
            let (params, carries_code) = login.next_attempt(code.as_ref());
            async move {
                let params = params.map_err(CallError::Parameters)?;
                // Signing in twice is harmless.
                let (method, resend, purpose) = ("login", Resend::Always, Purpose::LogIn);
                make(client, Request { method, params, resend, carries_code, purpose }).await
            }
        })
        .await;
        let result = outcome?.ok_or_else(no_account)?;
        Account::read(&result).map_err(CallError::Result)
    }

    /// Signs out; the server deletes the login token.
    ///
    /// # Errors
    /// Returns the errors of a call.
    pub async fn logout(&self) -> Result<(), CallError> {
        let params = as_array(&()).map_err(CallError::Parameters)?;
        let (method, resend, purpose) = ("logout", Resend::SameSession, Purpose::LogOut);
        make(&self.0, Request { method, params, resend, carries_code: false, purpose }).await.map(drop)
    }

    /// Returns the id of the user who is signed in, or `None`.
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        self.0.state().user_id()
    }

    /// Subscribes to a publication. `params` is as for [`call`](Self::call). [`Subscription::ready`] waits for the
    /// initial documents.
    ///
    /// # Errors
    /// Returns [`CallError::TooManySubscriptions`] if the client has the maximum number of subscriptions,
    /// [`CallError::Parameters`] if `params` cannot be encoded, and [`CallError::Closed`] if the client is closed.
    pub fn subscribe(&self, publication: &str, params: &impl Serialize) -> Result<Subscription, CallError> {
        let params = as_array(params).map_err(CallError::Parameters)?;
        let (id, status) = self.0.state().subscribe(publication, params)?;
        Ok(Subscription::new(Arc::clone(&self.0), id, status))
    }

    /// Returns a document, or `None` if the client does not have it.
    #[must_use]
    pub fn document(&self, collection: &str, id: impl Into<DocumentId>) -> Option<Document> {
        self.0.state().documents.get(collection, &id.into().to_wire())
    }

    /// Returns all documents of a collection, in the order of their ids.
    #[must_use]
    pub fn documents(&self, collection: &str) -> Vec<Document> {
        self.0.state().documents.all(collection)
    }

    /// Returns all documents of a collection, each read as `Item`, in the order of their ids.
    ///
    /// # Errors
    /// Returns an error if one of them is not an `Item`.
    pub fn read_all<Item: DeserializeOwned>(&self, collection: &str) -> Result<Vec<Item>, DecodeError> {
        self.documents(collection).iter().map(Document::read).collect()
    }

    /// Returns the names of the collections that have documents.
    #[must_use]
    pub fn collections(&self) -> Vec<String> {
        self.0.state().documents.collections()
    }

    /// Returns the changes of the documents of all collections, beginning with the documents that exist.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(Arc::clone(&self.0), None)
    }

    /// Returns the changes of the documents of one collection, beginning with the documents that exist.
    #[must_use]
    pub fn changes_of(&self, collection: &str) -> Changes {
        Changes::new(Arc::clone(&self.0), Some(collection.to_owned()))
    }

    /// Returns the status of the connection, as a receiver that is notified when it changes.
    #[must_use]
    pub fn status(&self) -> tokio::sync::watch::Receiver<Status> {
        self.0.status()
    }

    /// Closes the session and waits until the connection is closed. Calls without a result fail with
    /// [`CallError::Closed`].
    pub async fn close(self) {
        self.0.state().close();
        // If the task that sets the status has ended, the connection is closed as well.
        let mut status = self.0.status();
        let _gone = status.wait_for(|status| matches!(status, Status::Closed)).await;
    }
}

fn no_account() -> CallError {
    CallError::Result(serde::de::Error::custom("the login returned no account"))
}
