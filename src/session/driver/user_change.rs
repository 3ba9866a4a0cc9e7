//! A change of the user of a connection: all subscriptions run again, and the client receives the difference between
//! its old and new documents in one step. A session may have thousands of subscriptions, so the change takes several polls.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bolide_protocol::{DdpError, ServerMessage};
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, Stream as _};
use tokio::time::{Sleep, sleep};

use super::calls::{Done, Running};
use super::{Driver, Turn, subscriber};
use crate::call::Identity;
use crate::outbox::effort;
use crate::publication::{Origin, SubscriptionCore};
use crate::session::rare_queue::RareQueue;

/// The requested user changes. They run one after another.
#[derive(Default)]
pub(super) struct UserChanges {
    waiting: RareQueue<(Identity, oneshot::Sender<()>)>,
    under_way: Option<Box<UserChange>>,
}

/// A running user change.
struct UserChange {
    /// The new user, until the callbacks of the old subscriptions have run.
    identity: Option<Identity>,
    /// The subscriptions that have not been started.
    origins: VecDeque<Origin>,
    /// The subscriptions that have neither sent all initial documents nor unblocked.
    starting: FuturesUnordered<Starting>,
    /// The timeout for them.
    patience: Pin<Box<Sleep>>,
    done: oneshot::Sender<()>,
}

/// A subscription for which the change waits.
struct Starting(Option<Running>);

/// A subscription for which the change does not wait any longer.
enum Started {
    Done(Done),
    GoesOn(Running),
}

impl UserChanges {
    pub(super) fn push(&mut self, identity: Identity, done: oneshot::Sender<()>) {
        self.waiting.push((identity, done));
    }

    /// Returns whether a user change is running. No message is started meanwhile.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Has the running user change start another publication. Returns `false` if no user change is running.
    pub(super) fn start_as_well(&mut self, origin: &Origin) -> bool {
        let Some(change) = &mut self.under_way else { return false };
        change.origins.push_back(origin.clone());
        true
    }

    pub(super) fn clear(&mut self) {
        self.waiting = RareQueue::default();
        self.under_way = None;
    }
}

impl Future for Starting {
    type Output = Option<Started>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Started>> {
        let Some(running) = &mut self.0 else { return Poll::Ready(None) };
        match Pin::new(&mut *running).poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(Started::Done(done))),
            Poll::Pending if running.has_sent_first_documents() => Poll::Ready(self.0.take().map(Started::GoesOn)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Driver {
    pub(super) fn poll_user_change(&mut self, turn: &mut Turn, context: &mut Context<'_>) {
        loop {
            if self.user_changes.under_way.is_none() {
                let Some((identity, done)) = self.user_changes.waiting.pop() else { return };
                if identity.user == self.session.user() {
                    self.confirm_user(identity, done, turn, context);
                    continue;
                }
                self.begin_user_change(identity, done);
            }
            turn.note_other_work();
            if self.poll_under_way(context).is_pending() {
                return;
            }
            self.end_user_change(turn, context);
        }
    }

    /// Signs in the user who is signed in already, possibly by another token. The subscriptions continue.
    fn confirm_user(
        &mut self,
        identity: Identity,
        done: oneshot::Sender<()>,
        turn: &mut Turn,
        context: &mut Context<'_>,
    ) {
        self.session.set_identity(identity);
        self.go_on_after_change(done, turn, context);
    }

    fn begin_user_change(&mut self, identity: Identity, done: oneshot::Sender<()>) {
        let origins = self.end_subscriptions();
        self.calls.drop_publications();
        self.session.recipient().views().suspend();
        let named = origins.into_iter().filter(|origin| matches!(origin, Origin::Named(_)));
        let universal = self.take_all_universal();
        self.user_changes.under_way = Some(Box::new(UserChange {
            identity: Some(identity),
            origins: named.chain(universal).collect(),
            starting: FuturesUnordered::new(),
            patience: Box::pin(sleep(self.core.limits.user_change_timeout)),
            done,
        }));
        // Running methods were moved to a new set, which has to be polled.
        self.session.outbox().wake_driver();
    }

    fn poll_under_way(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_stops(context);
        if !self.stops.is_empty() {
            return Poll::Pending;
        }
        let Some(mut change) = self.user_changes.under_way.take() else { return Poll::Ready(()) };
        if let Some(identity) = change.identity.take() {
            // Callbacks of the old subscriptions ran with the old user.
            self.session.set_identity(identity);
            self.subscriber = subscriber(&self.core, &self.session);
        }
        let progress = self.poll_subscriptions(&mut change, context);
        self.user_changes.under_way = Some(change);
        progress
    }

    /// Starts the subscriptions again, and polls those that have started. Returns to the runtime after some of them.
    fn poll_subscriptions(&mut self, change: &mut UserChange, context: &mut Context<'_>) -> Poll<()> {
        while self.poll_started(change, context).is_ready()
            && let Some(origin) = change.origins.pop_front()
        {
            change.starting.extend(self.start_again(origin).map(|running| Starting(Some(running))));
            effort::spend(effort::SUBSCRIPTION);
            if effort::is_spent() {
                effort::give_way(context);
                break;
            }
        }
        if !change.origins.is_empty() {
            return Poll::Pending;
        }
        if change.patience.as_mut().poll(context).is_ready() {
            for running in std::mem::take(&mut change.starting).into_iter().filter_map(|starting| starting.0) {
                self.let_go_on(running, context);
            }
        }
        if change.starting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Polls the subscriptions that have started. Pending if this has taken long: the task is then polled again.
    fn poll_started(&mut self, change: &mut UserChange, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match Pin::new(&mut change.starting).poll_next(context) {
                Poll::Ready(Some(Some(Started::Done(done)))) => self.finish(done),
                Poll::Ready(Some(Some(Started::GoesOn(running)))) => self.let_go_on(running, context),
                Poll::Ready(Some(None)) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Ready(()),
            }
            effort::spend(effort::CALLBACK);
            if effort::is_spent() {
                effort::give_way(context);
                return Poll::Pending;
            }
        }
    }

    fn let_go_on(&mut self, running: Running, context: &Context<'_>) {
        self.calls.unblock(running);
        // The set has to poll it once, to register its own waker.
        context.waker().wake_by_ref();
    }

    /// Starts a subscription for the current user. Returns `None` if its publication was removed: the client is told.
    pub(super) fn start_again(&self, origin: Origin) -> Option<Running> {
        let publication = {
            let publications = self.host.publications.read();
            match &origin {
                Origin::Named(subscribe) => publications.find(&subscribe.name).cloned(),
                Origin::Universal(id) => publications.find_universal(*id).cloned(),
            }
        };
        match (publication, origin) {
            (Some(publication), origin) => {
                Some(Running::publication(SubscriptionCore::start(&self.subscriber, &publication, origin)))
            }
            (None, Origin::Named(subscribe)) => {
                let error = DdpError::subscription_not_found(&subscribe.name);
                self.send(&ServerMessage::nosub(&subscribe.id, Some(error)));
                None
            }
            (None, Origin::Universal(_)) => None,
        }
    }

    fn end_user_change(&mut self, turn: &mut Turn, context: &mut Context<'_>) {
        let Some(change) = self.user_changes.under_way.take() else { return };
        {
            let mut views = self.session.recipient().views();
            let ready = self.session.outbox().burst(|| views.resume(self.session.outbox()));
            if !ready.is_empty() {
                self.send(&ServerMessage::Ready { subs: ready });
            }
        }
        self.go_on_after_change(change.done, turn, context);
    }

    fn go_on_after_change(&mut self, done: oneshot::Sender<()>, turn: &mut Turn, context: &mut Context<'_>) {
        // The method that requested the change may have been dropped.
        let _dropped = done.send(());
        // The method continues in the same poll.
        self.poll_calls(turn, context);
    }
}
