//! What a handler is given: [`Context`] for everybody, [`SignedIn`] where somebody is signed in.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bolide_protocol::ejson::{self, CustomTypes};
use bolide_protocol::{DdpError, RandomStream, RawJson, random};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "accounts")]
use crate::accounts::AccountsCore;
use crate::app::App;
use crate::chance::{Chance, Generator};
use super::{Admitted, Connection, Identity, Invocation, MethodError, MethodResult, Parameters, TwoFactorCode};
use crate::user::UserId;

/// The circumstances of a call. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    invocation: Arc<Invocation>,
    argument_count: usize,
}

/// The circumstances of a call by a user who is signed in. It is a [`Context`] with a user.
#[derive(Clone, Debug)]
pub struct SignedIn {
    context: Context,
    user: UserId,
}

impl Context {
    pub(crate) fn new(invocation: Arc<Invocation>, argument_count: usize) -> Self {
        Self { invocation, argument_count }
    }

    /// The app, for calls and writes of its own.
    #[must_use]
    pub fn app(&self) -> App {
        App::from_state(Arc::clone(&self.invocation.app))
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn accounts(&self) -> Option<&Arc<AccountsCore>> {
        self.invocation.app.accounts.as_ref()
    }

    /// The name under which the method was called.
    #[must_use]
    pub fn method_name(&self) -> &str {
        &self.invocation.method.name
    }

    /// How many parameters the handler was given: without a code of the second factor, and without what clients
    /// append to every call.
    #[must_use]
    pub fn argument_count(&self) -> usize {
        self.argument_count
    }

    /// Who is signed in on the connection, if anybody.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.invocation.root().user.lock().clone()
    }

    /// The connection; nothing when the application makes the call itself.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        self.invocation.connection.as_ref()
    }

    /// Signs a user in on this connection, or out: all subscriptions of the connection are run again for the new user,
    /// and the client is sent the difference.
    ///
    /// # Errors
    /// An internal error after [`unblock`](Self::unblock), and for a call that no client made.
    pub async fn set_user_id(&self, user: Option<UserId>) -> MethodResult<()> {
        let root = self.invocation.root();
        if root.unblocked.load(Ordering::Acquire) {
            return Err(MethodError::internal("Can't call setUserId in a method after calling unblock"));
        }
        let Some(session) = root.connection.as_ref().and_then(Connection::session) else {
            return Err(MethodError::internal("Can't call setUserId on a server initiated method call"));
        };
        session.change_user(Identity::without_login(user.clone())).await;
        self.become_user(user);
        Ok(())
    }

    /// Signs in with what a log-in has shown. Over HTTP there is nothing to sign in on; the call goes on as that user.
    #[cfg(feature = "accounts")]
    pub(crate) async fn sign_in(&self, identity: Identity) -> MethodResult<()> {
        let root = self.invocation.root();
        if let Some(session) = root.connection.as_ref().and_then(Connection::session) {
            if root.unblocked.load(Ordering::Acquire) {
                return Err(MethodError::internal("a log-in must come before unblock"));
            }
            session.change_user(identity.clone()).await;
        }
        self.become_user(identity.user);
        Ok(())
    }

    fn become_user(&self, user: Option<UserId>) {
        *self.invocation.root().user.lock() = user;
        // Whom the gate admitted was somebody else.
        self.invocation.forget_admission();
    }

    /// Lets the next messages of the client run while this method goes on.
    pub fn unblock(&self) {
        self.invocation.root().unblocked.store(true, Ordering::Release);
    }

    /// Calls another method, as the same user on the same connection. Where this call passed the gate, it is not asked
    /// again, whatever the other method's policy is.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn double(context: Context, number: f64) -> MethodResult<f64> {
    ///     context.call("add", &(number, number)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of the other method, and 404 if there is none of that name.
    pub async fn call<Output: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &(impl Serialize + Sync),
    ) -> MethodResult<Output> {
        let parameters = Parameters::from_values(parameters)?;
        let result = self.call_raw(method, parameters).await?.unwrap_or_else(RawJson::null);
        Ok(ejson::from_raw(&result, &CustomTypes::default())?)
    }

    /// Calls another method with parameters as they come.
    ///
    /// # Errors
    /// Those of the other method, and 404 if there is none of that name.
    pub async fn call_raw(&self, method: &str, parameters: Parameters) -> MethodResult<Option<RawJson>> {
        let is_admitted = self.invocation.admitted.load(Ordering::Acquire);
        self.call_nested(method, parameters, Nested { is_admitted, is_clients_choice: false }).await
    }

    /// Whether there is a gated method of this name.
    #[cfg(feature = "accounts")]
    pub(crate) fn is_gated(&self, method: &str) -> bool {
        self.invocation.app.methods.find(method).is_some_and(|method| method.policy.requirement().is_some())
    }

    /// Calls a method that the client named, as if it had called it itself: limits and the gate apply.
    #[cfg(feature = "accounts")]
    pub(crate) async fn call_for_client(&self, method: &str, parameters: Parameters) -> MethodResult<Option<RawJson>> {
        self.call_nested(method, parameters, Nested { is_admitted: false, is_clients_choice: true }).await
    }

    async fn call_nested(&self, method: &str, parameters: Parameters, nested: Nested) -> MethodResult<Option<RawJson>> {
        let app = &self.invocation.app;
        let found = app.methods.find(method).ok_or_else(|| DdpError::method_not_found(method))?;
        let seed = self.with_random(|random| random.rpc_seed(method));
        let invocation = Arc::new(Invocation {
            app: Arc::clone(app),
            method: Arc::clone(found),
            connection: self.invocation.connection.clone(),
            user: Mutex::new(self.user_id()),
            random: Mutex::new(CallRandom::new(Some(seed))),
            unblocked: AtomicBool::new(false),
            parent: Some(Arc::clone(&self.invocation)),
            is_clients_choice: nested.is_clients_choice,
            admitted: AtomicBool::new(nested.is_admitted),
            shown: Mutex::default(),
        });
        invocation.run(parameters).await
    }

    /// The next id of the call's random stream `stream`. A client that runs the method's stub draws the same ids.
    #[must_use]
    pub fn random_id(&self, stream: &str) -> String {
        self.with_random(|random| random.stream(stream).id())
    }

    /// The id of a document that this call inserts into `collection`. A client's stub draws the same.
    #[must_use]
    pub fn document_id(&self, collection: &str) -> String {
        self.with_random(|random| random.collection(collection).id())
    }

    fn with_random<Output>(&self, draw: impl FnOnce(&mut RandomStream) -> Output) -> Output {
        draw(self.invocation.random.lock().stream(&*self.invocation.app.chance))
    }
}

impl SignedIn {
    pub(crate) fn new(context: Context) -> Option<Self> {
        let user = context.user_id()?;
        Some(Self { context, user })
    }

    /// Who calls.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Asks the gate now, in a method whose policy is [`on_demand`](crate::call::Requirement::on_demand). The code
    /// is the one in `found`, or else the one that was shown with the call. Who was admitted once is not asked again in
    /// the same call.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn transfer(me: SignedIn, amount: f64) -> MethodResult<&'static str> {
    ///     if amount > 1000.0 {
    ///         let _admitted = me.demand_two_factor(None).await?;
    ///     }
    ///     Ok("done")
    /// }
    ///
    /// let app = App::builder().method("transfer", TwoFactor::required().on_demand(), transfer).build()?;
    /// # Ok::<(), bolide::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the gate says; the handler passes it on, and the client repeats the call with a code. An internal error in a
    /// method whose policy does not say that it may ask.
    pub async fn demand_two_factor(&self, found: Option<TwoFactorCode>) -> MethodResult<Admitted> {
        self.context.invocation.demand(found).await
    }
}

impl Deref for SignedIn {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("method", &self.method_name())
            .field("user", &self.user_id())
            .finish_non_exhaustive()
    }
}

/// How a method is called from within another one.
struct Nested {
    is_admitted: bool,
    is_clients_choice: bool,
}

/// The random streams of a call, made when the first id is drawn.
pub(crate) struct CallRandom {
    seed: Option<String>,
    stream: Option<RandomStream>,
}

impl CallRandom {
    pub(crate) fn new(seed: Option<String>) -> Self {
        // As in Meteor, an empty seed is none.
        Self { seed: seed.filter(|seed| !seed.is_empty()), stream: None }
    }

    fn stream(&mut self, chance: &dyn Chance) -> &mut RandomStream {
        let seed = &mut self.seed;
        self.stream.get_or_insert_with(|| {
            let seed = seed.take().unwrap_or_else(|| random::hex_string(&mut Generator(chance), 20));
            RandomStream::new(seed)
        })
    }
}
