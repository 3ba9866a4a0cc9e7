//! Counts what a session holds in memory for its client, and closes it if the client's network has no share left.

use std::task::Context;

use super::{Driver, Phase};
use crate::figures::Absence;
use crate::session::{Goodbye, NoShare, Received};

/// The maximum number of bytes that a session keeps of the input while it waits for the client's closing frame: a read, and
/// as much of an incomplete message.
const CLOSING_BYTES: usize = 32 << 10;

impl Driver {
    /// Counts the bytes that the session holds, and closes it if no share is left for them.
    pub(super) fn count_held_bytes(&mut self, context: &mut Context<'_>) {
        if matches!(self.phase, Phase::Closing) && self.transport.buffered_bytes() > CLOSING_BYTES {
            // The client's closing frame is not awaited: what was read of a message would stay until then, uncounted.
            self.poll_send(context);
            self.end();
            context.waker().wake_by_ref();
        }
        let (held, is_finished) = (self.held_bytes(), self.is_finished());
        let Some(bytes) = self.places.bytes().filter(|bytes| bytes.counts(held)) else { return };
        if is_finished {
            // What was read of a message has been dropped.
            return bytes.release_few(held);
        }
        // Some may have been sent meanwhile.
        self.waiting_bytes = self.session.outbox().pressure().bytes;
        let held = self.held_bytes();
        if let Some(bytes) = self.places.bytes()
            && let Err(NoShare) = bytes.hold(held, &*self.core.clock)
        {
            self.close_without_share("Too much waits for the clients of this network", context);
        }
    }

    /// Counts the documents that the session holds, and closes it if no share is left for them.
    pub(super) fn count_held_documents(&mut self, context: &Context<'_>) {
        if self.is_finished() {
            return;
        }
        let Some(documents) = self.places.documents() else { return };
        let held = self.session.recipient().views().held_documents();
        if documents.counts(held)
            && let Err(NoShare) = documents.hold(held, &*self.core.clock)
        {
            self.close_without_share("Too many documents are shown to the clients of this network", context);
        }
    }

    fn close_without_share(&mut self, reason: &'static str, context: &Context<'_>) {
        if matches!(self.phase, Phase::Away(_)) {
            return self.end_absence(Absence::Overflowed);
        }
        self.session.outbox().drop_waiting();
        self.close(Goodbye::new(1013, reason));
        // The closing frame has to be sent.
        context.waker().wake_by_ref();
    }

    /// Returns the bytes that count as held. Those that wait for a client that is away count by themselves.
    fn held_bytes(&self) -> usize {
        if matches!(self.phase, Phase::Away(_)) {
            return self.inbox.bytes();
        }
        let next = self.next.as_ref().map_or(0, Received::len);
        self.waiting_bytes + self.inbox.bytes() + self.resent_bytes() + next + self.transport.buffered_bytes()
    }
}
