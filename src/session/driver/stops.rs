//! [`Stops`]: the callbacks of subscriptions that end together, with their session or their user. There may be thousands,
//! so a poll runs only some of them.

use std::task::Context;

use super::Driver;
use crate::call::EndCallback;
use crate::outbox::effort;
use crate::publication::{Origin, run_all};
use crate::session::rare_queue::RareQueue;

/// The callbacks that have not run yet.
#[derive(Default)]
pub(super) struct Stops {
    waiting: RareQueue<EndCallback>,
}

impl Stops {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Runs some callbacks, at least one.
    fn run_some(&mut self) {
        while let Some(callback) = self.waiting.pop() {
            run_all([callback]);
            effort::spend(effort::CALLBACK);
            if effort::is_spent() {
                return;
            }
        }
    }

    /// Runs all callbacks.
    fn run_all(&mut self) {
        run_all(self.waiting.take());
    }
}

impl Driver {
    /// Ends all subscriptions without messages to the client. Their callbacks run afterwards. Returns the origins from
    /// which they can be started again.
    pub(super) fn end_subscriptions(&mut self) -> Vec<Origin> {
        let ended = self.session.recipient().views().end_all();
        let mut origins = Vec::with_capacity(ended.len());
        for (origin, on_stop) in ended {
            for callback in on_stop {
                self.stops.waiting.push(callback);
            }
            origins.push(origin);
        }
        origins
    }

    /// Runs some of the callbacks of ended subscriptions, and after the last one those of an ended session.
    pub(super) fn poll_stops(&mut self, context: &mut Context<'_>) {
        self.stops.run_some();
        if !self.stops.is_empty() {
            effort::give_way(context);
        } else if self.is_finished() {
            self.session.run_close_callbacks();
        }
    }

    /// Runs all remaining callbacks, because the driver is dropped.
    pub(super) fn finish_stops(&mut self) {
        self.stops.run_all();
        self.session.run_close_callbacks();
    }
}
