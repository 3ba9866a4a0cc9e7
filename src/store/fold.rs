//! [`fold`]: decides which names and addresses are equal.

use unicode_normalization::UnicodeNormalization as _;

/// Returns the form in which names and addresses are compared: in lower case, with compatibility characters unified
/// (NFKC).
///
/// ```
/// use bolide::store::fold;
///
/// assert_eq!(fold("Straße"), fold("STRAßE"));
/// assert_eq!(fold("Ａlice"), "alice");
/// ```
#[must_use]
pub fn fold(name: &str) -> String {
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().collect()
}
