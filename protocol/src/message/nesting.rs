//! The nesting depth of JSON text, measured before any recursive parser reads it.

/// Returns whether arrays and objects in `text` are nested deeper than `limit` levels.
///
/// ```
/// use bolide_protocol::message::is_nested_deeper_than;
///
/// assert!(!is_nested_deeper_than(r#"{"a":["[[[["]}"#, 2));
/// assert!(is_nested_deeper_than("[[[]]]", 2));
/// ```
#[must_use]
pub fn is_nested_deeper_than(text: &str, limit: usize) -> bool {
    // Each level needs an opening and a closing bracket, so a short text need not be scanned.
    if text.len() <= limit.saturating_mul(2) {
        return false;
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => drop(bytes.next()),
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}
