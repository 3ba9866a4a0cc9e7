//! [`Turn`]: what one poll of a driver keeps from message to message.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::call::{CachedMethods, CallBatch, Invocation};
use crate::figures::{Figures, TrafficBatch};

/// The maximum size of an id whose memory the next call uses, in bytes. The ids of published clients are shorter.
const SHORT_ID: usize = 64;

/// What one poll of the driver keeps from message to message.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) received: TrafficBatch,
    pub(super) methods: CachedMethods,
    /// The calls that have ended, until they are in the statistics.
    pub(super) ended: CallBatch,
    /// The last call, if it has ended: the next one uses its memory.
    pub(super) last_call: Option<Arc<Invocation>>,
    /// The memory of its id, for that of the next one.
    spare_id: String,
    /// When the last call ended; `None` once anything else has run. The next call begins then, so its duration includes
    /// sending that answer and reading its own message. Reading the clock takes longer than many a method.
    pub(super) last_end: Option<Instant>,
}

impl Turn {
    /// Adds what was counted to the figures of the app.
    pub(super) fn tell(mut self, figures: &Figures) {
        self.received.tell(&figures.traffic.received);
    }

    /// Notes that a method has ended.
    pub(super) fn note_end(&mut self, at: Instant, call: Option<Arc<Invocation>>, id: String) {
        self.last_end = Some(at);
        self.last_call = call;
        // The next call may wait for long, with a short id in this memory.
        self.spare_id = if id.capacity() <= SHORT_ID { id } else { String::new() };
    }

    /// Returns a copy of the id of a call.
    pub(super) fn copy_id(&mut self, id: &str) -> String {
        let mut copy = mem::take(&mut self.spare_id);
        copy.clear();
        copy.push_str(id);
        copy
    }

    /// Notes that anything other than a method has run.
    pub(super) fn note_other_work(&mut self) {
        self.last_end = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_is_copied_into_the_memory_of_the_last_one() {
        let mut turn = Turn::default();
        let first = turn.copy_id("first");
        let memory = first.as_ptr();
        turn.note_end(Instant::now(), None, first);
        let second = turn.copy_id("2");
        assert_eq!((second.as_str(), second.as_ptr()), ("2", memory));
    }

    #[test]
    fn the_memory_of_a_long_id_is_released() {
        let mut turn = Turn::default();
        let long = turn.copy_id(&"1".repeat(SHORT_ID + 1));
        turn.note_end(Instant::now(), None, long);
        assert!(turn.copy_id("2").capacity() <= SHORT_ID);
    }
}
