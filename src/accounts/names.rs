//! Which usernames and addresses there can be.

use bolide_protocol::DdpError;
use unicode_normalization::UnicodeNormalization as _;

const LONGEST_NAME: usize = 100;
const LONGEST_ADDRESS: usize = 254;

/// A username as it is kept: trimmed, composed, without characters that cannot be seen.
pub(crate) fn username(text: &str) -> Result<String, DdpError> {
    let name: String = text.trim().nfc().collect();
    let is_possible = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.contains('@');
    if is_possible && name.chars().all(is_visible) { Ok(name) } else { Err(DdpError::match_failed()) }
}

/// An address: something, an at sign, something.
pub(crate) fn address(text: &str) -> Result<String, DdpError> {
    let address: String = text.trim().nfc().collect();
    let parts = address.rsplit_once('@');
    let is_possible = address.len() <= LONGEST_ADDRESS
        && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains(['"', '<', '>']))
        && address.chars().all(|character| is_visible(character) && !character.is_whitespace());
    if is_possible { Ok(address) } else { Err(DdpError::match_failed()) }
}

/// Neither control characters nor those that change how others are read.
fn is_visible(character: char) -> bool {
    let is_formatting = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}');
    !character.is_control() && !is_formatting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_seen_are_refused() {
        for wrong in ["", "  ", "a\u{0}b", "a\u{202e}b", "a@b", &"x".repeat(101)] {
            assert!(username(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(username(" Ada ").unwrap(), "Ada");
    }

    #[test]
    fn addresses_have_two_sides_and_no_line_breaks() {
        for wrong in ["", "a", "@", "a@", "@b", "a b@c", "a\r\n@b"] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
        assert!(address("ada@example.com").is_ok());
    }
}
