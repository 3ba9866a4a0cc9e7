//! Makes text of a server harmless where it is shown.

use std::fmt::Write as _;

/// The maximum number of characters of a line that are shown.
const LONGEST: usize = 700;

/// Shows control characters, and those that change the direction of text, as escapes such as `\u{1b}`: a server must
/// not be able to move the cursor of a terminal or to disguise what it sent. Cuts long lines.
pub(super) fn visible(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for character in line.chars().take(LONGEST) {
        if character.is_control() || is_bidirectional(character) || is_noncharacter(character) {
            let _infallible = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if line.chars().nth(LONGEST).is_some() {
        let _infallible = write!(shown, "… ({} bytes)", line.len());
    }
    shown
}

/// Escapes text for XML and HTML, in elements and in attributes, line by line.
pub(super) fn markup(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| entities(&visible(line))).collect();
    lines.join("\n")
}

fn entities(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The marks, embeddings, overrides and isolates of Unicode.
const fn is_bidirectional(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Characters that XML does not allow.
const fn is_noncharacter(character: char) -> bool {
    matches!(character, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, markup, visible};

    #[test]
    fn control_characters_are_shown_as_escapes() {
        assert_eq!(visible("a\u{1b}[2Jb\rc\td\u{202e}e\u{9b}"), r"a\u{1b}[2Jb\rc\td\u{202e}e\u{9b}");
        assert_eq!(visible("ä ✓ 日本"), "ä ✓ 日本");
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(visible(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
        let long = visible(&"ä".repeat(LONGEST + 1));
        assert_eq!(long, format!("{}… ({} bytes)", "ä".repeat(LONGEST), 2 * LONGEST + 2));
    }

    #[test]
    fn markup_is_escaped_and_keeps_its_lines() {
        assert_eq!(markup("<a b='c'>\n&\u{0}\"\u{ffff}"), "&lt;a b=&#39;c&#39;&gt;\n&amp;\\u{0}&quot;\\u{ffff}");
    }
}
