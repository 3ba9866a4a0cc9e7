//! A change of the user of a connection: all subscriptions run again, and the client receives the difference between
//! its old and new documents in one step.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bolide_protocol::ServerMessage;
use futures::channel::oneshot;
use tokio::time::{Sleep, sleep};

use super::calls::Running;
use super::{Driver, subscriber};
use crate::call::Identity;
use crate::publication::{Origin, SubscriptionCore, run_all};

/// The requested user changes. They run one after another.
#[derive(Default)]
pub(super) struct UserChanges {
    waiting: VecDeque<(Identity, oneshot::Sender<()>)>,
    under_way: Option<Box<UserChange>>,
}

/// A running user change.
struct UserChange {
    /// The subscriptions that have neither sent all initial documents nor unblocked.
    starting: Vec<Running>,
    /// The timeout for them.
    patience: Pin<Box<Sleep>>,
    done: oneshot::Sender<()>,
}

impl UserChanges {
    pub(super) fn push(&mut self, identity: Identity, done: oneshot::Sender<()>) {
        self.waiting.push_back((identity, done));
    }

    /// Returns whether a user change is running. No message is started meanwhile.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.under_way = None;
    }
}

impl Driver {
    pub(super) fn poll_user_change(&mut self, context: &mut Context<'_>) {
        loop {
            if self.user_changes.under_way.is_none() {
                let Some((identity, done)) = self.user_changes.waiting.pop_front() else { return };
                self.begin_user_change(identity, done);
            }
            if self.poll_starting(context).is_pending() {
                return;
            }
            self.end_user_change(context);
        }
    }

    fn begin_user_change(&mut self, identity: Identity, done: oneshot::Sender<()>) {
        // Callbacks of the old subscriptions run with the old user.
        let origins = self.end_subscriptions();
        self.calls.drop_publications();
        self.session.recipient().views().suspend();
        self.session.set_identity(identity);
        self.subscriber = subscriber(&self.core, &self.session);
        let named = origins.into_iter().filter(|origin| matches!(origin, Origin::Named(_)));
        let universal = (0..self.host.publications.universal().len()).map(Origin::Universal);
        let starting = named.chain(universal).filter_map(|origin| self.start_again(origin)).collect();
        let patience = Box::pin(sleep(self.core.limits.user_change_timeout));
        self.user_changes.under_way = Some(Box::new(UserChange { starting, patience, done }));
        // Running methods were moved to a new set, which has to be polled.
        self.session.outbox().wake_driver();
    }

    fn start_again(&self, origin: Origin) -> Option<Running> {
        let publication = match &origin {
            Origin::Named(subscribe) => self.host.publications.find(&subscribe.name)?,
            Origin::Universal(index) => self.host.publications.universal().get(*index)?,
        };
        let publication = Arc::clone(publication);
        Some(Running::publication(SubscriptionCore::start(&self.subscriber, &publication, origin)))
    }

    fn poll_starting(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut change) = self.user_changes.under_way.take() else { return Poll::Ready(()) };
        let is_over = change.patience.as_mut().poll(context).is_ready();
        for mut running in std::mem::take(&mut change.starting) {
            match Pin::new(&mut running).poll(context) {
                Poll::Ready(done) => self.finish(done),
                Poll::Pending if is_over || running.has_sent_first_documents() => {
                    self.calls.unblock(running);
                    context.waker().wake_by_ref();
                }
                Poll::Pending => change.starting.push(running),
            }
        }
        let is_done = change.starting.is_empty();
        self.user_changes.under_way = Some(change);
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    }

    fn end_user_change(&mut self, context: &mut Context<'_>) {
        let Some(change) = self.user_changes.under_way.take() else { return };
        {
            let mut views = self.session.recipient().views();
            let ready = self.session.outbox().burst(|| views.resume(self.session.outbox()));
            if !ready.is_empty() {
                self.send(&ServerMessage::Ready { subs: ready });
            }
        }
        // The method that requested the change may have been dropped.
        let _dropped = change.done.send(());
        // The method continues in the same poll.
        self.poll_calls(context);
    }

    /// Ends all subscriptions without messages to the client. Returns the origins from which they can be started again.
    pub(super) fn end_subscriptions(&self) -> Vec<Origin> {
        let ended = self.session.recipient().views().end_all();
        let mut origins = Vec::with_capacity(ended.len());
        for (origin, on_stop) in ended {
            run_all(on_stop);
            origins.push(origin);
        }
        origins
    }
}
