//! The rules for usernames and addresses.

use bolide_protocol::DdpError;
use unicode_normalization::UnicodeNormalization as _;

const LONGEST_NAME: usize = 100;
const LONGEST_ADDRESS: usize = 254;

/// Returns a username as it is stored: trimmed and composed. Names with invisible characters are rejected.
pub(crate) fn username(text: &str) -> Result<String, DdpError> {
    let name: String = text.trim().nfc().collect();
    // Names are compared in this form: a wide `＠` is an at sign as well.
    let unified: String = name.nfkc().collect();
    let is_possible = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !unified.contains('@');
    let is_readable = name.chars().all(is_visible) && !mixes_alphabets(&unified);
    if is_possible && is_readable { Ok(name) } else { Err(DdpError::match_failed()) }
}

/// Returns whether a name or address of another server can be stored unchanged.
pub(crate) fn imported(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_ADDRESS && text.chars().all(is_visible)
}

/// Returns an address: text on both sides of an at sign.
pub(crate) fn address(text: &str) -> Result<String, DdpError> {
    let address: String = text.trim().nfc().collect();
    let parts = address.rsplit_once('@');
    let is_possible = address.len() <= LONGEST_ADDRESS
        && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains(['"', '<', '>']))
        && address.chars().all(|character| is_visible(character) && !character.is_whitespace());
    if is_possible { Ok(address) } else { Err(DdpError::match_failed()) }
}

/// Returns whether a text has neither control characters nor characters that change how others are displayed.
pub(super) fn is_visible(character: char) -> bool {
    let is_formatting = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}');
    !character.is_control() && !is_formatting
}

/// Returns whether a text mixes alphabets that look alike: a Cyrillic `а` among Latin letters deceives. Other scripts may be
/// mixed.
fn mixes_alphabets(name: &str) -> bool {
    let alphabet = |character| match character {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some("Latin"),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some("Greek"),
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' => {
            Some("Cyrillic")
        }
        '\u{530}'..='\u{58f}' => Some("Armenian"),
        '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => Some("Cherokee"),
        _ => None,
    };
    let mut alphabets = name.chars().filter_map(alphabet);
    alphabets.next().is_some_and(|first| alphabets.any(|other| other != first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_seen_are_refused() {
        for wrong in ["", "  ", "a\u{0}b", "a\u{202e}b", "a@b", "a＠b", &"x".repeat(101)] {
            assert!(username(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(username(" Ada ").unwrap(), "Ada");
    }

    #[test]
    fn letters_that_look_like_others_do_not_stand_among_them() {
        for wrong in ["\u{430}lice", "ali\u{441}e", "\u{391}da", "\u{13aa}da"] {
            assert!(username(wrong).is_err(), "{wrong:?}");
        }
        for right in ["Зоя", "Ζωή", "田中taro", "Łukasz", "añb-c_1.2", "🦀crab"] {
            assert!(username(right).is_ok(), "{right:?}");
        }
    }

    #[test]
    fn addresses_have_two_sides_and_no_line_breaks() {
        for wrong in ["", "a", "@", "a@", "@b", "a b@c", "a\r\n@b"] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
        assert!(address("ada@example.com").is_ok());
    }
}
