//! [`Subscription`]: the handle of one subscription. Only a live one sends; dropping it answers the client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use bolide_protocol::message::Subscribe;
use bolide_protocol::{DdpError, DocumentId, ServerMessage, ejson};
use serde::Serialize;

use super::fields::{FieldMap, Fields, SharedChange};
use super::frames::encode_added;
use super::merge_box::NotHeld;
use super::view::Target;
use super::views::{Answer, Ended, Origin, Views};
use super::{Handle, Publication, Publishable, Recipient};
use crate::call::{
    App, AppCore, Connection, EndCallback, Errand, MethodError, MethodResult, Parameters, sanitize, state,
};
use crate::user::UserId;

/// One subscription of one client.
///
/// A publication's handler is given it. The handler may keep it, move it into a task, or drop it: a subscription that
/// nobody holds and that was not declared [`ready`](Self::ready) becomes so, since nothing more can come from it. It
/// ends when the client unsubscribes, the connection ends, the user changes, or the publication [stops](Self::stop) it;
/// what is sent afterwards is not sent.
pub struct Subscription {
    core: SubscriptionCore,
}

/// What the server itself holds of a subscription.
#[derive(Clone)]
pub(crate) struct SubscriptionCore {
    subscriber: Arc<Subscriber>,
    handle: Handle,
    unblocked: Arc<AtomicBool>,
}

/// Who subscribes: a client, as of the start of the subscription.
pub(crate) struct Subscriber {
    pub(crate) core: Arc<AppCore>,
    pub(crate) recipient: Arc<Recipient>,
    pub(crate) connection: Connection,
    pub(crate) user: Option<UserId>,
}

impl Subscription {
    /// Who is signed in, as of the start of the subscription: when the user changes, subscriptions run again.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.core.subscriber.user.as_ref()
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.core.subscriber.connection.clone()
    }

    /// The client's name for this subscription; nothing for a universal publication.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        let views = self.core.recipient().views();
        views.id_of(self.core.handle).map(|id| id.to_string())
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> App {
        App::of(Arc::clone(&self.core.subscriber.core))
    }

    /// Returns what [`AppBuilder::state`](crate::AppBuilder::state) keeps of this type.
    ///
    /// # Errors
    /// Returns an internal error if the app was built without state of the type `T`.
    pub fn state<T: Send + Sync + 'static>(&self) -> MethodResult<&T> {
        state(&self.core.subscriber.core)
    }

    /// Lets the client's next messages run while this publication goes on with its initial documents.
    pub fn unblock(&self) {
        self.core.unblocked.store(true, Ordering::Release);
    }

    /// Whether the client still listens.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.core.recipient().views().is_active(self.core.handle)
    }

    /// Sends a document. `fields` is a struct or a map; a member `_id` is left out. Waits while the client is slow.
    ///
    /// # Errors
    /// An internal error when `fields` is neither a struct nor a map.
    pub async fn added(
        &self,
        collection: &str,
        id: impl Into<DocumentId>,
        fields: &(impl Serialize + ?Sized),
    ) -> MethodResult<()> {
        let id: Arc<str> = id.into().to_wire().into();
        let (fields, frame) = encode_added(collection, &id, fields)?;
        self.core.with_target(collection, |views, target| {
            views.added(target, self.core.handle, &id, &Arc::new(fields), Some(&frame));
        });
        self.core.recipient().outbox().room().await;
        Ok(())
    }

    /// Changes fields of a document that this subscription has sent: those of `set` have a new value, those in `unset`
    /// are gone. For a document that it has not sent nothing happens. Waits while the client is slow.
    ///
    /// # Errors
    /// An internal error when `set` is neither a struct nor a map.
    pub async fn changed(
        &self,
        collection: &str,
        id: impl Into<DocumentId>,
        set: &(impl Serialize + ?Sized),
        unset: &[&str],
    ) -> MethodResult<()> {
        let set: FieldMap = Fields::encode(set)?.by_name().clone();
        let unset = unset.iter().map(|name| Box::from(*name));
        let change = SharedChange::new(set, unset);
        let id = id.into().to_wire().into_owned();
        let told =
            self.core.with_target(collection, |views, target| views.changed(target, &[self.core.handle], &id, &change));
        note_unless_held(told, collection, &id);
        self.core.recipient().outbox().room().await;
        Ok(())
    }

    /// Takes back a document that this subscription has sent. For another one nothing happens. Waits while the client is
    /// slow.
    ///
    /// # Errors
    /// None today.
    pub async fn removed(&self, collection: &str, id: impl Into<DocumentId>) -> MethodResult<()> {
        let id = id.into().to_wire().into_owned();
        let told = self.core.with_target(collection, |views, target| views.removed(target, self.core.handle, &id));
        note_unless_held(told, collection, &id);
        self.core.recipient().outbox().room().await;
        Ok(())
    }

    /// Sends the documents of a live query, and from now on what changes in them.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn open_orders(subscription: Subscription, orders: Collection) -> MethodResult<()> {
    ///     subscription.publish(orders.find(Filter::eq("open", true))).await
    /// }
    /// ```
    ///
    /// # Errors
    /// An internal error when this subscription publishes another query of the same collection already.
    pub async fn publish(&self, documents: impl Publishable) -> MethodResult<()> {
        documents.publish(self).await
    }

    /// Tells the client that all initial documents were sent. Only the first time counts.
    pub fn ready(&self) {
        self.core.answer(|views| views.ready(self.core.handle));
    }

    /// Ends the subscription: its documents leave, and the client is told.
    pub fn stop(&self) {
        self.core.end(None);
    }

    /// Ends the subscription with an error.
    pub fn fail(&self, error: MethodError) {
        self.core.fail(error);
    }

    /// Runs `callback` when the subscription has ended, at once if it has.
    pub fn on_stop(&self, callback: impl FnOnce() + Send + 'static) {
        self.core.on_stop(Box::new(callback));
    }

    pub(crate) fn core(&self) -> &SubscriptionCore {
        &self.core
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let by_panic = std::thread::panicking();
        self.core.answer(|views| views.handle_dropped(self.core.handle, by_panic));
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Subscription").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A client is never told of a document that it was not given.
fn note_unless_held(told: Result<(), NotHeld>, collection: &str, id: &str) {
    if told.is_err() {
        tracing::debug!(collection, id, "a subscription spoke of a document that it has not sent");
    }
}

/// A publication handler that was started.
pub(crate) struct Started {
    pub(crate) core: SubscriptionCore,
    pub(crate) future: super::PublishFuture,
}

impl SubscriptionCore {
    /// Makes a subscription active and starts its handler.
    pub(crate) fn start(subscriber: &Arc<Subscriber>, publication: &Arc<Publication>, origin: Origin) -> Started {
        let (name, params) = match &origin {
            Origin::Named(subscribe) => (Some(subscribe.name.clone()), subscribe.params.clone()),
            Origin::Universal(_) => (None, None),
        };
        let handle = subscriber.recipient.views().start(origin);
        let core = Self { subscriber: Arc::clone(subscriber), handle, unblocked: Arc::new(AtomicBool::new(false)) };
        let mut parameters = Parameters::from_message(params.as_ref());
        parameters.set_types(&subscriber.core.types);
        if let Some(declared) = publication.declared {
            parameters.drop_spares(declared);
        }
        let future = core.start_handler(publication, name, parameters);
        Started { core, future }
    }

    /// Starts the handler; before it, a user who may do nothing yet is refused.
    fn start_handler(
        &self,
        publication: &Arc<Publication>,
        name: Option<String>,
        parameters: Parameters,
    ) -> super::PublishFuture {
        let subscription = Subscription { core: self.clone() };
        let is_restricted = self.subscriber.core.gate.restricts_users();
        if let (Some(name), Some(user), true) = (name, self.subscriber.user.clone(), is_restricted) {
            let (core, publication) = (Arc::clone(&self.subscriber.core), Arc::clone(publication));
            return Box::pin(async move {
                core.gate.check_user(Errand::publication(&user, &name)).await?;
                publication.start(subscription, parameters).await
            });
        }
        match crate::call::guarded(|| publication.start(subscription, parameters)) {
            Ok(future) => future,
            Err(panic) => Box::pin(std::future::ready(Err(panic))),
        }
    }

    /// Whether the handler should be polled; it is woken when it should not any more.
    pub(crate) fn is_handler_wanted(&self, handler: &Waker) -> bool {
        self.recipient().views().is_handler_wanted(self.handle, handler)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.recipient().views().is_ready(self.handle)
    }

    pub(crate) fn is_unblocked(&self) -> bool {
        self.unblocked.load(Ordering::Acquire)
    }

    pub(crate) fn recipient(&self) -> &Arc<Recipient> {
        &self.subscriber.recipient
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    /// The handler has returned.
    pub(crate) fn returned(&self, outcome: MethodResult<()>) {
        match outcome {
            Ok(()) => self.answer(|views| views.handler_returned(self.handle)),
            Err(error) => self.fail(error),
        }
    }

    pub(crate) fn on_stop(&self, callback: EndCallback) {
        let ended = self.recipient().views().on_stop(self.handle, callback);
        if let Some(callback) = ended {
            callback();
        }
    }

    /// Ends the subscription and tells the client.
    pub(crate) fn end(&self, error: Option<DdpError>) {
        end(self.recipient(), self.handle, error);
    }

    /// The client unsubscribes.
    pub(crate) fn unsubscribe(recipient: &Recipient, handle: Handle) {
        end(recipient, handle, None);
    }

    pub(crate) fn with_target<Output>(
        &self,
        collection: &str,
        act: impl FnOnce(&mut Views, Target<'_>) -> Output,
    ) -> Output {
        let target = Target { outbox: self.recipient().outbox(), collection };
        act(&mut self.recipient().views(), target)
    }

    fn fail(&self, error: MethodError) {
        let name = self.name();
        self.end(Some(sanitize(error, "publication", &name, &self.subscriber.core.random_id())));
    }

    /// Tells the client what it is to be told.
    fn answer(&self, act: impl FnOnce(&mut Views) -> Answer) {
        let mut views = self.recipient().views();
        match act(&mut views) {
            Answer::Nothing => {}
            // While nobody can end it: no `ready` comes after a `nosub`.
            Answer::Ready(id) => {
                self.recipient().outbox().send(ServerMessage::Ready { subs: vec![id] }.to_frame().into())
            }
            Answer::Failed => {
                drop(views);
                self.end(Some(DdpError::internal()));
            }
        }
    }

    fn name(&self) -> String {
        match self.recipient().views().origin_of(self.handle) {
            Some(Origin::Named(subscribe)) => subscribe.name.clone(),
            _ => "(universal)".to_owned(),
        }
    }
}

fn end(recipient: &Recipient, handle: Handle, error: Option<DdpError>) {
    let outbox = recipient.outbox();
    let ended = outbox.burst(|| {
        let mut views = recipient.views();
        let ended = views.end(handle, outbox)?;
        // While nobody can subscribe again under the same id.
        let id = ended.id.as_ref().and_then(|id| ejson::to_raw(&**id).ok());
        outbox.send(ServerMessage::Nosub { id, error }.to_frame().into());
        Some(ended)
    });
    let Some(Ended { handler, on_stop, .. }) = ended else { return };
    if let Some(handler) = handler {
        handler.wake();
    }
    run_all(on_stop);
}

/// Runs callbacks of the application; one that panics does not keep the others from running.
pub(crate) fn run_all(callbacks: Vec<EndCallback>) {
    for callback in callbacks {
        if let Err(panic) = crate::call::guarded(callback) {
            tracing::error!(%panic, "an on_stop callback panicked");
        }
    }
}

impl Origin {
    pub(crate) fn named(subscribe: Subscribe) -> Self {
        Self::Named(Arc::new(subscribe))
    }
}
