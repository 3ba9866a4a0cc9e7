//! Text that is written before its length is known, so that what is kept of it can be allocated in the right size.

use std::cell::Cell;

/// The size that the text keeps afterwards, in bytes.
const LARGEST: usize = 64 << 10;

thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// Passes an empty text to `write`.
pub(crate) fn with_scratch<Output>(write: impl FnOnce(&mut String) -> Output) -> Output {
    // Taken and not borrowed: what is written may write another text meanwhile.
    let mut text = SCRATCH.take();
    text.clear();
    let output = write(&mut text);
    text.shrink_to(LARGEST);
    SCRATCH.set(text);
    output
}
