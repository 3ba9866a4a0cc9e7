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
//! - Calls are pipelined: those that are awaited together are sent together.
//! - A lost connection comes back by itself. The session is resumed where the server can do that; otherwise the client
//!   signs in and subscribes again, and the local documents become what the server has now. [`Resend`] says what becomes
//!   of calls that were under way.
//! - Futures may be dropped at any time. A call that was not sent by then never is.
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
//! In reading order: [`ClientBuilder`] and [`Client`]; [`Call`], [`Login`] and [`Subscription`]; [`Challenge`]; then the
//! rules of DDP, which do no IO (`state`), and the task that does (`task`).

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
mod stream;
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
pub use self::two_factor::{Answer, Challenge, Subject};
pub use crate::limits::Heartbeat;
pub use bolide_protocol::two_factor::TwoFactorMethod;

use self::call::{as_array, make};
use self::shared::ClientInner;
use self::state::{Purpose, Request};
use self::two_factor::prove;

/// A client of a DDP server. Cheap to clone; when the last clone and the last subscription are gone, it is closed.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientInner>);

impl Client {
    /// A client that is yet to connect, with options. See [`Address`] for what an address can be.
    pub fn builder(address: &str) -> ClientBuilder {
        ClientBuilder::new(address)
    }

    /// Connects, without options.
    ///
    /// # Errors
    /// [`ConnectError`] says why there is no session.
    pub async fn connect(address: &str) -> Result<Self, ConnectError> {
        Self::builder(address).connect().await
    }

    fn new(inner: ClientInner) -> Self {
        Self(Arc::new(inner))
    }

    /// A call, which is made when it is awaited. `params` is a tuple, an array, a `Vec`, or `()` for none. The result is
    /// read as `Output`; [`Ejson`](crate::protocol::Ejson) takes any. Subscribed documents that the method changed have
    /// changed here, too, when the result is there.
    ///
    /// When the server asks for a second factor, the prompt of the client is asked and the call made again, see
    /// [`ClientBuilder::two_factor`].
    pub fn call<Output: DeserializeOwned>(&self, method: &str, params: &impl Serialize) -> Call<Output> {
        Call::new(Arc::clone(&self.0), method, params)
    }

    /// Signs in. Later connections sign in again by themselves, with the token that the server gives.
    ///
    /// # Errors
    /// [`CallError::Server`] when the server refuses, and whatever hinders a call.
    pub async fn login(&self, mut login: Login) -> Result<Account, CallError> {
        let client = &*self.0;
        let outcome = prove(client.prompter.as_ref(), &Subject::Login, |code| {
            let (params, carries_code) = login.next_attempt(code.as_ref());
            async move {
                let params = params.map_err(CallError::Parameters)?;
                // To sign in twice does no harm.
                let (method, resend, purpose) = ("login", Resend::Always, Purpose::LogIn);
                make(client, Request { method, params, resend, carries_code, purpose }).await
            }
        })
        .await;
        let result = outcome?.ok_or_else(no_account)?;
        Account::read(&result).map_err(CallError::Result)
    }

    /// Signs out, on the server as well.
    ///
    /// # Errors
    /// As a call.
    pub async fn logout(&self) -> Result<(), CallError> {
        let params = as_array(&()).map_err(CallError::Parameters)?;
        let (method, resend, purpose) = ("logout", Resend::SameSession, Purpose::LogOut);
        make(&self.0, Request { method, params, resend, carries_code: false, purpose }).await.map(drop)
    }

    /// Who is signed in.
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        self.0.state().user_id()
    }

    /// Subscribes to a publication. `params` as for [`call`](Self::call). [`Subscription::ready`] waits for the initial
    /// documents.
    ///
    /// # Errors
    /// When there are too many subscriptions already, or `params` cannot be sent.
    pub fn subscribe(&self, publication: &str, params: &impl Serialize) -> Result<Subscription, CallError> {
        let params = as_array(params).map_err(CallError::Parameters)?;
        let (id, status) = self.0.state().subscribe(publication, params)?;
        Ok(Subscription::new(Arc::clone(&self.0), id, status))
    }

    /// A document that the client has.
    #[must_use]
    pub fn document(&self, collection: &str, id: impl Into<DocumentId>) -> Option<Document> {
        self.0.state().documents.get(collection, &id.into().to_wire())
    }

    /// All documents of a collection that the client has, in the order of their ids.
    #[must_use]
    pub fn documents(&self, collection: &str) -> Vec<Document> {
        self.0.state().documents.all(collection)
    }

    /// All documents of a collection, each read as `Item`.
    ///
    /// # Errors
    /// When one of them does not fit.
    pub fn read_all<Item: DeserializeOwned>(&self, collection: &str) -> Result<Vec<Item>, DecodeError> {
        self.documents(collection).iter().map(Document::read).collect()
    }

    /// The names of the collections in which there are documents.
    #[must_use]
    pub fn collections(&self) -> Vec<String> {
        self.0.state().documents.collections()
    }

    /// What happens to the documents of all collections, beginning with what there is.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(Arc::clone(&self.0), None)
    }

    /// What happens to the documents of one collection, beginning with what there is.
    #[must_use]
    pub fn changes_of(&self, collection: &str) -> Changes {
        Changes::new(Arc::clone(&self.0), Some(collection.to_owned()))
    }

    /// How the connection stands, and whenever that changes.
    #[must_use]
    pub fn status(&self) -> tokio::sync::watch::Receiver<Status> {
        self.0.status()
    }

    /// Says good-bye to the server, and waits until the connection is closed. What is still under way fails with
    /// [`CallError::Closed`].
    pub async fn close(self) {
        self.0.state().close();
        // The task that could say so is gone in any case.
        let mut status = self.0.status();
        let _gone = status.wait_for(|status| matches!(status, Status::Closed)).await;
    }
}

fn no_account() -> CallError {
    CallError::Result(serde::de::Error::custom("the login gives no account"))
}
