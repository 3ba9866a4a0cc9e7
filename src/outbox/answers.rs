//! [`Answers`]: the answers to method calls that wait for the client. Those that wait one behind the other share one text.

use std::cell::Cell;

use bolide_protocol::{DdpError, RawJson, ServerMessage};
use bytestring::ByteString;

/// The messages of one answer: `updated` and `result`.
pub(super) const MESSAGES: usize = 2;

/// The length of a text from which on no further answer is added.
const FULL_BYTES: usize = 2 << 10;

/// The maximum size of the memory that is kept for the next answers.
const SPARE_BYTES: usize = 2 * FULL_BYTES;

thread_local! {
    /// The memory of the answers that were sent last.
    static SPARE: Cell<Answers> = const { Cell::new(Answers::EMPTY) };
}

/// The `updated` and `result` of one or more method calls.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    text: String,
    /// The end of each message.
    ends: Vec<usize>,
    /// The number of messages that were popped.
    popped: usize,
}

impl Answers {
    pub(super) const EMPTY: Self = Self { text: String::new(), ends: Vec::new(), popped: 0 };

    /// Returns empty answers in the memory of [recycled](Self::recycle) ones, which is more than a few answers need. So it is for
    /// a client to which they are written soon: what is behind them in the queue has memory of its own size.
    pub(super) fn in_spare_memory() -> Self {
        SPARE.replace(Self::EMPTY)
    }

    /// Adds an answer. Returns the number of bytes.
    pub(super) fn add(&mut self, id: &str, outcome: Result<Option<&RawJson>, &DdpError>) -> usize {
        let start = self.text.len();
        let end_of_updated = ServerMessage::write_answer(&mut self.text, id, outcome);
        self.ends.extend([end_of_updated, self.text.len()]);
        self.text.len() - start
    }

    pub(super) const fn has_room(&self) -> bool {
        self.text.len() < FULL_BYTES
    }

    /// Returns the messages that were not popped.
    pub(super) fn messages(&self) -> impl Iterator<Item = &str> {
        let mut start = self.start();
        self.ends[self.popped..].iter().map(move |end| &self.text[std::mem::replace(&mut start, *end)..*end])
    }

    /// Returns the number of messages that were not popped.
    pub(super) const fn count(&self) -> usize {
        self.ends.len() - self.popped
    }

    /// Returns the number of bytes of these messages.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() - self.start()
    }

    /// Pops the first message.
    pub(super) fn pop(&mut self) -> Option<ByteString> {
        let message = self.messages().next().map(ByteString::from);
        self.popped += usize::from(message.is_some());
        message
    }

    /// Keeps the memory for the next answers, unless it is large: those may wait for long for a client that does not read.
    pub(super) fn recycle(mut self) {
        if self.text.capacity() <= SPARE_BYTES {
            self.text.clear();
            self.ends.clear();
            SPARE.set(Self { popped: 0, ..self });
        }
    }

    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.text.capacity()
    }

    fn start(&self) -> usize {
        self.popped.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_popped_in_order() {
        let mut answers = Answers::EMPTY;
        let bytes = answers.add("1", Ok(None)) + answers.add("2", Ok(Some(&RawJson::null())));
        let messages: Vec<_> = answers.messages().map(str::to_owned).collect();
        assert_eq!((messages.len(), answers.count(), answers.bytes()), (4, 4, bytes));
        assert!(messages[1].contains(r#""msg":"result","id":"1""#) && messages[2].contains(r#"["2"]"#), "{messages:?}");
        for (popped, message) in messages.iter().enumerate() {
            assert_eq!(answers.bytes(), messages[popped..].iter().map(String::len).sum::<usize>());
            assert_eq!(answers.pop().as_deref(), Some(message.as_str()));
        }
        assert_eq!((answers.pop(), answers.count(), answers.bytes()), (None, 0, 0));
    }

    #[test]
    fn answers_begin_empty_in_the_memory_of_others() {
        let mut first = Answers::EMPTY;
        first.add("1", Ok(None));
        let memory = first.text.as_ptr();
        first.pop();
        first.recycle();
        let second = Answers::in_spare_memory();
        assert_eq!((second.count(), second.bytes(), second.text.as_ptr()), (0, 0, memory));
    }

    #[test]
    fn the_memory_of_long_answers_is_released() {
        let mut long = Answers::EMPTY;
        long.add(&"x".repeat(SPARE_BYTES), Ok(None));
        assert!(!long.has_room());
        long.recycle();
        assert_eq!(Answers::in_spare_memory().capacity(), 0);
    }
}
