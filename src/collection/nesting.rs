//! How deep JSON text is nested.

/// Returns the greatest number of objects and arrays around a value.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut greatest) = (0_usize, 0);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                depth += 1;
                greatest = greatest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_text_do_not_count() {
        assert_eq!(depth("5"), 0);
        assert_eq!(depth(r#"{"a":[1,{"b":{}}],"c":[]}"#), 4);
        assert_eq!(depth(r#"{"a":"[[\"{{","[":1}"#), 1);
    }
}
