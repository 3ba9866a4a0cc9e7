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
    let output = write(&mut text);
    // What was written may be a secret, and no memory is released that is in use.
    text.clear();
    text.shrink_to(LARGEST);
    SCRATCH.set(text);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_does_not_stay_in_memory() {
        let length = with_scratch(|text| {
            assert!(text.is_empty());
            text.push_str(&"x".repeat(10 * LARGEST));
            text.len()
        });
        assert_eq!(length, 10 * LARGEST);
        with_scratch(|text| assert!(text.is_empty() && text.capacity() <= LARGEST, "{}", text.capacity()));
    }

    #[test]
    fn a_text_may_be_written_within_another() {
        let both = with_scratch(|outer| {
            outer.push('a');
            let inner = with_scratch(|inner| {
                inner.push('b');
                inner.clone()
            });
            outer.clone() + &inner
        });
        assert_eq!(both, "ab");
    }
}
