//! [`fold`]: which names and addresses are the same.

use unicode_normalization::UnicodeNormalization as _;

/// The form in which names and addresses are compared: compatibility characters unified (NFKC), lower case.
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
