//! [`Subscription`]: the handle of one subscription. It sends only while the subscription is active. Dropping it
//! answers the client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use bolide_protocol::message::Subscribe;
use bolide_protocol::{DdpError, DocumentId, ServerMessage, ejson};
use serde::Serialize;
use tracing::{Instrument as _, Span};

use super::fields::{FieldMap, Fields, SharedChange};
use super::frames::encode_added;
use super::merge_box::NotHeld;
use super::view::Target;
use super::views::{Answer, Ended, Origin, Views};
use super::{Handle, Publication, Publishable, Recipient};
use crate::call::{
    AccessRequest, App, AppCore, Connection, EndCallback, MethodError, MethodResult, Parameters, sanitize, state,
};
use crate::outbox::effort;
use crate::public_name::public_name;
use crate::spans;
use crate::user::UserId;

/// The name of universal publications in traces.
const UNIVERSAL: &str = "(universal)";

/// One subscription of one client.
///
/// The handler of a publication receives it, and can keep it, move it into a task, or drop it. When it is dropped
/// before
/// [`ready`](Self::ready), the subscription becomes ready, since no more documents can follow.
///
/// A subscription ends when the client unsubscribes, the connection ends, the user changes, or the publication
/// [stops](Self::stop) it. After that, its methods do not send anything.
pub struct Subscription {
    core: SubscriptionCore,
}

/// The part of a subscription that the server itself holds.
#[derive(Clone)]
pub(crate) struct SubscriptionCore {
    subscriber: Arc<Subscriber>,
    handle: Handle,
    unblocked: Arc<AtomicBool>,
}

/// The client of a subscription, as it was when the subscription started.
pub(crate) struct Subscriber {
    pub(crate) core: Arc<AppCore>,
    pub(crate) recipient: Arc<Recipient>,
    pub(crate) connection: Connection,
    pub(crate) user: Option<UserId>,
}

impl Subscription {
    /// Returns the user who was signed in when the subscription started, or `None`. When the user changes, the handlers
    /// of all subscriptions run again.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.core.subscriber.user.as_ref()
    }

    /// Returns the connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.core.subscriber.connection.clone()
    }

    /// Returns the client's id of this subscription. Returns `None` for a universal publication, or if the subscription
    /// has ended.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        let views = self.core.recipient().views();
        views.id_of(self.core.handle).map(|id| id.to_string())
    }

    /// Returns the app.
    #[must_use]
    pub fn app(&self) -> App {
        App::of(Arc::clone(&self.core.subscriber.core))
    }

    /// Returns the state of type `T` that was set with [`AppBuilder::state`](crate::AppBuilder::state).
    ///
    /// # Errors
    /// Returns an internal error if the app was built without state of the type `T`.
    pub fn state<T: Send + Sync + 'static>(&self) -> MethodResult<&T> {
        state(&self.core.subscriber.core)
    }

    /// Lets the client's next messages be handled before this publication has sent its initial documents.
    pub fn unblock(&self) {
        self.core.unblocked.store(true, Ordering::Release);
    }

    /// Returns whether the subscription has not ended.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.core.recipient().views().is_active(self.core.handle)
    }

    /// Sends a document. A member `_id` of `fields` is ignored. Waits while the client is slow.
    ///
    /// # Errors
    /// Returns an internal error if `fields` is neither a struct nor a map.
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
        self.core.wait_for_room(1).await;
        Ok(())
    }

    /// Changes fields of a document that this subscription has sent: sets the fields of `set` and removes those in
    /// `unset`. Does nothing if it has not sent the document. Waits while the client is slow.
    ///
    /// # Errors
    /// Returns an internal error if `set` is neither a struct nor a map.
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
        self.core.wait_for_room(1).await;
        Ok(())
    }

    /// Removes a document that this subscription has sent. Does nothing if it has not sent the document. Waits while
    /// the client is slow.
    ///
    /// # Errors
    /// Does not fail at present.
    pub async fn removed(&self, collection: &str, id: impl Into<DocumentId>) -> MethodResult<()> {
        let id = id.into().to_wire().into_owned();
        let told = self.core.with_target(collection, |views, target| views.removed(target, self.core.handle, &id));
        note_unless_held(told, collection, &id);
        self.core.wait_for_room(1).await;
        Ok(())
    }

    /// Sends the documents of a live query or another source, and then their changes.
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
    /// Returns the error of the source. A query fails with an internal error if this subscription already
    /// publishes a query of the same collection.
    pub async fn publish(&self, documents: impl Publishable) -> MethodResult<()> {
        documents.publish(self).await
    }

    /// Tells the client that all initial documents have been sent. Further calls have no effect.
    pub fn ready(&self) {
        self.core.answer(|views| views.ready(self.core.handle));
    }

    /// Ends the subscription: removes its documents, and sends `nosub` to the client.
    pub fn stop(&self) {
        self.core.end(None);
    }

    /// Ends the subscription with an error, like [`stop`](Self::stop).
    pub fn fail(&self, error: MethodError) {
        self.core.fail(error);
    }

    /// Runs `callback` when the subscription ends, or at once if it has ended.
    pub fn on_stop(&self, callback: impl FnOnce() + Send + 'static) {
        self.core.on_stop(Box::new(callback));
    }

    pub(crate) fn core(&self) -> &SubscriptionCore {
        &self.core
    }

    pub(super) fn subscriber(&self) -> &Subscriber {
        &self.core.subscriber
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

/// Logs a change of a document that the subscription has not sent. It is not sent to the client.
fn note_unless_held(told: Result<(), NotHeld>, collection: &str, id: &str) {
    if told.is_err() {
        tracing::debug!(collection, id, "a subscription changed a document that it has not sent");
    }
}

/// Runs a handler in its span.
fn traced(span: Span, future: super::PublishFuture) -> super::PublishFuture {
    let ending = span.clone();
    let ended = async move {
        let outcome = future.await;
        spans::end(&ending, outcome.as_ref().map_or_else(|error| error.failure().as_str(), |()| "ok"));
        outcome
    };
    Box::pin(ended.instrument(span))
}

/// A started publication handler.
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
        let handle = {
            let mut views = subscriber.recipient.views();
            let handle = views.start(origin);
            views.count(handle, &publication.active);
            handle
        };
        publication.started.one();
        let core = Self { subscriber: Arc::clone(subscriber), handle, unblocked: Arc::new(AtomicBool::new(false)) };
        let mut parameters = Parameters::from_message(params);
        parameters.set_types(&subscriber.core.types);
        if let Some(declared) = publication.declared {
            parameters.drop_spares(declared);
        }
        let span = spans::are_wanted().then(|| core.span(name.as_deref().unwrap_or(UNIVERSAL)));
        let mut future = core.start_handler(publication, name, parameters);
        if let Some(span) = span {
            future = traced(span, future);
        }
        Started { core, future }
    }

    fn span(&self, publication: &str) -> Span {
        let Subscriber { connection, user, .. } = &*self.subscriber;
        spans::subscription(publication, &public_name(connection.id()), user.as_ref().map(UserId::as_str))
    }

    /// Starts the handler, after a check whether the user may subscribe.
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
                let request = AccessRequest::publication(&user, &name, publication.open_to_enrolment);
                core.gate.check_user(request).await?;
                publication.start(subscription, parameters).await
            });
        }
        match crate::call::guarded(|| publication.start(subscription, parameters)) {
            Ok(future) => future,
            Err(panic) => Box::pin(std::future::ready(Err(panic))),
        }
    }

    /// Returns whether the subscription is active, so that its handler should be polled. The handler is woken when it
    /// ends.
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

    /// Handles the return of the handler.
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

    /// Waits after documents were sent: while the client is slow, and for others that want to run.
    pub(crate) async fn wait_for_room(&self, documents: usize) {
        effort::spend(documents.saturating_mul(effort::DOCUMENT));
        self.recipient().outbox().room().await;
    }

    /// Ends the subscription and sends `nosub`.
    pub(crate) fn end(&self, error: Option<DdpError>) {
        end(self.recipient(), self.handle, error);
    }

    /// Ends a subscription for its client.
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

    /// Sends the answer that `act` returns.
    fn answer(&self, act: impl FnOnce(&mut Views) -> Answer) {
        let mut views = self.recipient().views();
        match act(&mut views) {
            Answer::Nothing => {}
            // Sent under the lock, so that `ready` does not follow a `nosub`.
            Answer::Ready(id) => {
                self.recipient().outbox().send(ServerMessage::Ready { subs: vec![id] }.to_frame().into());
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
        // Sent under the lock, so that the id is not used again before.
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

/// Runs callbacks of the application. A panic of one does not affect the others.
pub(crate) fn run_all(callbacks: impl IntoIterator<Item = EndCallback>) {
    for callback in callbacks {
        if let Err(panic) = crate::call::guarded(callback) {
            tracing::error!(%panic, "an on_stop callback panicked");
        }
    }
}

impl Origin {
    /// Returns the size of what the client has sent, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Named(subscribe) => size_of_subscription(subscribe),
            Self::Universal(_) => 0,
        }
    }

    pub(crate) fn named(subscribe: Subscribe) -> Self {
        Self::Named(Arc::new(subscribe))
    }
}

/// Returns the size of a subscription's id, name and parameters, in bytes.
pub(crate) fn size_of_subscription(Subscribe { id, name, params }: &Subscribe) -> usize {
    // The id is kept twice.
    2 * id.len() + name.len() + params.as_ref().map_or(0, |params| params.get().len())
}
