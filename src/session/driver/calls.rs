//! Runs the methods and publications of a session: one at a time in the order of the client's messages, until each ends
//! or unblocks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bolide_protocol::message::{MethodCall, Subscribe};
use bolide_protocol::{DdpError, RawJson, ServerMessage};
use futures::stream::{FuturesUnordered, Stream as _};

use super::{Driver, Phase, Queued, Turn};
use crate::call::{
    CallBatch, Counted, CountedKind, EndedMethod, Invocation, MethodResult, Parameters, RunningMethod, guarded,
};
use crate::figures::Limit;
use crate::outbox::effort;
use crate::publication::{
    Origin, PublishFuture, Started, Subscriber, SubscriptionCore, UniversalId, size_of_subscription,
};

/// The running methods and publications.
#[derive(Default)]
pub(super) struct Calls {
    /// The one for which the next messages wait.
    current: Option<Running>,
    /// The ones that have unblocked.
    unblocked: Option<Box<FuturesUnordered<Running>>>,
}

/// A call that is ready to start. The names in its frame were read, so that the frame can become the text of the parameters.
pub(super) struct Call {
    id: String,
    invocation: Arc<Invocation>,
}

/// A running method or publication.
pub(super) enum Running {
    Method { id: String, method: RunningMethod },
    Publication { core: SubscriptionCore, future: PublishFuture },
}

/// The outcome of a method or publication.
pub(super) enum Done {
    Method {
        id: String,
        outcome: Result<Option<RawJson>, Box<DdpError>>,
        /// When it ended.
        at: Instant,
    },
    Publication(SubscriptionCore, MethodResult<()>),
}

impl Calls {
    pub(super) fn is_running(&self) -> bool {
        self.current.is_some() || self.unblocked.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    /// Lets `running` continue concurrently with others.
    pub(super) fn unblock(&mut self, running: Running) {
        self.unblocked.get_or_insert_default().push(running);
    }

    /// Drops the handlers of publications, whose client is gone. Methods continue to their end.
    pub(super) fn drop_publications(&mut self) {
        self.current.take_if(|running| matches!(running, Running::Publication { .. }));
        if let Some(calls) = self.unblocked.take() {
            let methods = calls.into_iter().filter(|running| matches!(running, Running::Method { .. }));
            self.unblocked = Some(Box::new(methods.collect()));
        }
    }

    /// Returns the ids of the methods that have not ended.
    pub(super) fn method_ids(&self) -> impl Iterator<Item = &str> {
        let unblocked = self.unblocked.iter().flat_map(|calls| calls.iter());
        self.current.iter().chain(unblocked).filter_map(|running| match running {
            Running::Method { id, .. } => Some(id.as_str()),
            Running::Publication { .. } => None,
        })
    }

    fn unblocked_count(&self) -> usize {
        self.unblocked.as_ref().map_or(0, |calls| calls.len())
    }
}

impl Running {
    pub(super) fn publication(started: Started) -> Self {
        Self::Publication { core: started.core, future: started.future }
    }

    pub(super) fn is_unblocked(&self) -> bool {
        match self {
            Self::Method { method, .. } => method.invocation().is_unblocked(),
            Self::Publication { core, .. } => core.is_unblocked(),
        }
    }

    /// Polls it. A method that ends is counted in `ended`.
    fn poll_in_batch(&mut self, ended: &mut CallBatch, context: &mut Context<'_>) -> Poll<Done> {
        match self {
            Self::Method { id, method } => {
                let EndedMethod { outcome, at } = ready!(method.poll_in_batch(ended, context));
                let outcome = outcome.map_err(|error| Box::new(method.invocation().sanitize(error)));
                Poll::Ready(Done::Method { id: std::mem::take(id), outcome, at })
            }
            Self::Publication { core, future } => {
                if !core.is_handler_wanted(context.waker()) {
                    return Poll::Ready(Done::Publication(core.clone(), Ok(())));
                }
                let outcome = match guarded(|| future.as_mut().poll(context)) {
                    Ok(poll) => ready!(poll),
                    Err(panic) => Err(panic),
                };
                Poll::Ready(Done::Publication(core.clone(), outcome))
            }
        }
    }

    fn into_invocation(self) -> Option<Arc<Invocation>> {
        match self {
            Self::Method { method, .. } => Some(method.into_invocation()),
            Self::Publication { .. } => None,
        }
    }

    /// Returns whether a user change does not have to wait for it any longer.
    pub(super) fn has_sent_first_documents(&self) -> bool {
        self.is_unblocked() || matches!(self, Self::Publication { core, .. } if core.is_ready())
    }
}

impl Future for Running {
    type Output = Done;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done> {
        self.get_mut().poll_in_batch(&mut CallBatch::default(), context)
    }
}

impl Driver {
    /// Returns whether a message that arrives now may start immediately.
    pub(super) fn is_free(&self) -> bool {
        self.inbox.is_empty() && self.may_start()
    }

    fn may_start(&self) -> bool {
        self.calls.current.is_none()
            && self.calls.unblocked_count() < self.core.limits.running_calls
            && !self.shutting_down
            && !self.user_changes.is_under_way()
            // A change of the user is one of them: what follows it must not start for the user before.
            && !self.session.has_requests()
            && matches!(self.phase, Phase::Open(_) | Phase::Away(_))
    }

    pub(super) fn start_queued(&mut self, turn: &mut Turn, context: &mut Context<'_>) {
        while !self.inbox.is_empty() && self.may_start() && !self.is_held_back() {
            match self.inbox.pop() {
                Some(Queued::Method(call)) => self.start_queued_method(call, turn, context),
                Some(Queued::Sub(subscribe)) => {
                    turn.note_other_work();
                    self.start_subscription(subscribe, turn, context);
                }
                Some(Queued::Unsub(id)) => {
                    turn.note_other_work();
                    self.unsubscribe(id);
                }
                Some(Queued::Malformed(malformed, quote)) => {
                    turn.note_other_work();
                    self.send_error(malformed.to_string(), quote);
                }
                None => return,
            }
            if effort::is_spent() {
                return effort::give_way(context);
            }
        }
    }

    fn start_queued_method(&mut self, queued: MethodCall, turn: &mut Turn, context: &mut Context<'_>) {
        if let Some(call) = self.prepare_call(&queued.id, &queued.method, queued.random_seed, turn) {
            self.start_method(call, Parameters::from_message(queued.params), turn, context);
        }
    }

    /// Prepares a call of the method with this name. Returns `None` if the method is unknown, which the client is told.
    pub(super) fn prepare_call(&self, id: &str, method: &str, seed: Option<String>, turn: &mut Turn) -> Option<Call> {
        let Subscriber { connection, user, .. } = &*self.subscriber;
        debug_assert!(*user == self.session.user(), "only a user change sets either, and sets both");
        let method = match self.core.method_cached(&mut turn.methods, method) {
            Ok(method) => method,
            Err(unknown) => {
                self.send(&ServerMessage::Result { id: id.to_owned(), outcome: Err(unknown) });
                self.send(&ServerMessage::Updated { methods: vec![id.to_owned()] });
                return None;
            }
        };
        let invocation = match turn.last_call.take() {
            Some(ended) => ended.followed_by(method, user.clone(), seed),
            None => Invocation::of_client(&self.core, Arc::clone(method), connection.clone(), user.clone(), seed),
        };
        Some(Call { id: turn.copy_id(id), invocation })
    }

    pub(super) fn start_method(
        &mut self,
        call: Call,
        parameters: Parameters,
        turn: &mut Turn,
        context: &mut Context<'_>,
    ) {
        let Call { id, invocation } = call;
        let since = turn.last_end.unwrap_or_else(Instant::now);
        let method = RunningMethod::start_at(since, invocation, parameters);
        self.poll_running(Running::Method { id, method }, turn, context);
    }

    /// Starts a subscription. As in Meteor, checks first that the publication exists, then duplicates, then limits.
    fn start_subscription(&mut self, subscribe: Subscribe, turn: &mut Turn, context: &mut Context<'_>) {
        let Some(publication) = self.host.publications.read().find(&subscribe.name).cloned() else {
            self.core.figures.unknown_publications.one();
            let error = DdpError::subscription_not_found(&subscribe.name);
            return self.send(&ServerMessage::nosub(&subscribe.id, Some(error)));
        };
        if self.session.recipient().views().contains_id(&subscribe.id) {
            return;
        }
        if let Err(refusal) = self.count_subscription(&subscribe) {
            return self.send(&ServerMessage::nosub(&subscribe.id, Some(refusal)));
        }
        let origin = Origin::named(subscribe);
        let started = SubscriptionCore::start(&self.subscriber, &publication, origin);
        effort::spend(effort::SUBSCRIPTION);
        self.poll_running(Running::publication(started), turn, context);
    }

    fn count_subscription(&self, subscribe: &Subscribe) -> Result<(), DdpError> {
        let (count, bytes) = {
            let views = self.session.recipient().views();
            (views.subscription_count(), views.subscription_bytes())
        };
        let limits = &self.core.limits;
        let is_too_large = size_of_subscription(subscribe).saturating_add(bytes) > limits.subscription_bytes;
        if count >= limits.subscriptions || is_too_large {
            let limit = if is_too_large { Limit::SubscriptionBytes } else { Limit::Subscriptions };
            self.core.figures.refusals.count(limit);
            return Err(DdpError::new("too-many-subscriptions", "This session has too many subscriptions"));
        }
        if self.core.rate_limiter.is_empty() {
            return Ok(());
        }
        let Subscriber { connection, user, .. } = &*self.subscriber;
        let name = &subscribe.name;
        let counted = Counted { kind: CountedKind::Subscription, name, user: user.as_ref(), connection };
        self.core.count_limited(&counted)
    }

    /// Ends a subscription. Every id is answered, also an unknown one.
    fn unsubscribe(&self, id: Option<RawJson>) {
        let name = id.as_ref().and_then(|id| serde_json::from_str::<String>(id.get()).ok());
        let handle = name.and_then(|name| self.session.recipient().views().handle_of(&name));
        match handle {
            Some(handle) => {
                SubscriptionCore::unsubscribe(self.session.recipient(), handle);
                effort::spend(effort::SUBSCRIPTION);
            }
            None => self.send(&ServerMessage::Nosub { id, error: None }),
        }
    }

    /// Starts the universal publications that have not been started, which do not block the client's messages. A running
    /// user change starts them for the new user.
    pub(super) fn start_universal(&mut self) {
        for origin in self.take_new_universal() {
            if !self.user_changes.start_as_well(&origin)
                && let Some(running) = self.start_again(origin)
            {
                self.calls.unblock(running);
            }
        }
    }

    /// Returns the universal publications that were added since the last call.
    fn take_new_universal(&mut self) -> Vec<Origin> {
        let new: Vec<_> = self.host.publications.read().universal_after(self.last_universal).collect();
        self.last_universal = new.last().copied().unwrap_or(self.last_universal);
        new.into_iter().map(Origin::Universal).collect()
    }

    /// Returns all universal publications.
    pub(super) fn take_all_universal(&mut self) -> Vec<Origin> {
        self.last_universal = UniversalId::default();
        self.take_new_universal()
    }

    pub(super) fn poll_calls(&mut self, turn: &mut Turn, context: &mut Context<'_>) {
        self.poll_current(turn, context);
        if self.calls.unblocked.is_some() {
            turn.note_other_work();
        }
        while let Some(calls) = &mut self.calls.unblocked {
            match Pin::new(&mut **calls).poll_next(context) {
                Poll::Ready(Some(done)) => self.finish(done),
                Poll::Ready(None) => self.calls.unblocked = None,
                Poll::Pending => return,
            }
        }
    }

    fn poll_current(&mut self, turn: &mut Turn, context: &mut Context<'_>) {
        if let Some(running) = self.calls.current.take() {
            self.poll_running(running, turn, context);
        }
    }

    /// Polls what the next messages wait for. Most methods end the first time, and are never stored.
    fn poll_running(&mut self, mut running: Running, turn: &mut Turn, context: &mut Context<'_>) {
        let Poll::Ready(done) = running.poll_in_batch(&mut turn.ended, context) else {
            return self.keep_running(running, context);
        };
        // The handler's own state is dropped before the client is told of the end.
        let invocation = running.into_invocation();
        match done {
            Done::Method { id, outcome, at } => {
                self.answer(&id, &outcome);
                turn.note_end(at, invocation, id);
            }
            Done::Publication(core, outcome) => {
                turn.note_other_work();
                core.returned(outcome);
            }
        }
    }

    fn keep_running(&mut self, running: Running, context: &Context<'_>) {
        if !running.is_unblocked() {
            self.calls.current = Some(running);
            return;
        }
        self.calls.unblock(running);
        // The set has to poll it once, to register its own waker.
        context.waker().wake_by_ref();
    }

    pub(super) fn finish(&self, done: Done) {
        match done {
            Done::Method { id, outcome, .. } => self.answer(&id, &outcome),
            Done::Publication(core, outcome) => core.returned(outcome),
        }
    }

    fn answer(&self, id: &str, outcome: &Result<Option<RawJson>, Box<DdpError>>) {
        // `updated` goes first, since all data that the method has written has been sent.
        let outcome = outcome.as_ref().map(Option::as_ref).map_err(|error| &**error);
        self.session.outbox().send_answer(id, outcome);
    }
}
