//! [`fold`]: decides which names and addresses are equal. [`skeleton`]: which names look alike.

use unicode_normalization::UnicodeNormalization as _;

/// The maximum length of a text that is folded, in bytes. No name or address is that long, so a longer text equals none of
/// them, and is not worth the work.
const LONGEST: usize = 1024;

/// Returns the form in which names and addresses are compared: in lower case, with compatibility characters unified
/// (NFKC). A text of more than 1024 bytes, which no name or address has, is returned as it is.
///
/// ```
/// use bolide::store::fold;
///
/// assert_eq!(fold("Straße"), fold("STRAßE"));
/// assert_eq!(fold("Ａlice"), "alice");
/// ```
#[must_use]
pub fn fold(name: &str) -> String {
    if name.len() > LONGEST {
        return name.to_owned();
    }
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().collect()
}

/// Returns what a name looks like, as UTS 39 defines it: two names with the same skeleton can be mistaken for each other.
///
/// ```
/// use bolide::store::skeleton;
///
/// assert_eq!(skeleton("\u{430}lice"), skeleton("Alice"), "the first letter is Cyrillic");
/// assert_ne!(skeleton("bob"), skeleton("alice"));
/// ```
#[must_use]
pub fn skeleton(name: &str) -> String {
    let folded = fold(name);
    if folded.len() > LONGEST { folded } else { unicode_security::skeleton(&folded).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_not_folded() {
        let long = "\u{fdfa}".repeat(1 << 18);
        assert_eq!(fold(&long), long);
        assert_eq!(skeleton(&long), long);
        assert_ne!(fold(&"\u{fdfa}".repeat(300)), "\u{fdfa}".repeat(300));
    }
}
