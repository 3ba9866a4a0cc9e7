//! The rules for usernames, addresses and shown names. Lengths come first: a long text is not normalized.

use bolide_protocol::DdpError;
use parking_lot::Mutex;
use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::general_security_profile::IdentifierType;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection as _};

use crate::mail::is_deliverable;
use crate::settings::{RESERVED_USERNAMES, Settings, USERNAME_PATTERN, compile};
use crate::store::fold;

/// The maximum length of a username, in characters.
const LONGEST_NAME: usize = 100;

/// The maximum length of an address, in bytes, and of an imported name.
const LONGEST_ADDRESS: usize = 254;

/// The maximum length of a shown name, in characters.
const LONGEST_SHOWN_NAME: usize = 200;

/// The maximum length of a character, in bytes.
const CHARACTER: usize = 4;

/// The rules for new usernames, as the settings say now.
pub(crate) struct Usernames {
    settings: Settings,
    /// The last pattern, compiled.
    compiled: Mutex<Option<(String, Regex)>>,
}

impl Usernames {
    pub(super) const fn new(settings: Settings) -> Self {
        Self { settings, compiled: Mutex::new(None) }
    }

    /// Returns a username that a user chooses, as [`check`](Self::check) does, unless it is reserved by the setting
    /// `Accounts_SystemBlockedUsernameList`.
    ///
    /// # Errors
    /// 400.
    pub(crate) fn choose(&self, text: &str) -> Result<String, DdpError> {
        let name = self.check(text)?;
        let folded = fold(&name);
        let reserved = self.settings.get(&RESERVED_USERNAMES);
        if reserved.split(',').any(|reserved| fold(reserved.trim()) == folded) {
            return Err(DdpError::new(400, "The username provided is not valid"));
        }
        Ok(name)
    }

    /// Returns a username as it is stored: trimmed and composed. It must match the setting `UTF8_User_Names_Validation`. If
    /// that allows more than ASCII, the name must also be "moderately restrictive" as UTS 39 defines it: it must not mix scripts that
    /// look alike, or have characters that cannot be seen.
    ///
    /// # Errors
    /// 400.
    pub(crate) fn check(&self, text: &str) -> Result<String, DdpError> {
        let name = composed(text, LONGEST_NAME * CHARACTER).ok_or_else(DdpError::match_failed)?;
        let has_length = !name.is_empty() && name.chars().count() <= LONGEST_NAME;
        // Names are compared in this form: a wide `＠` is an at sign as well, and would make the name an address.
        if !has_length || name.nfkc().any(|character| character == '@') || !name.chars().all(is_visible) {
            return Err(DdpError::match_failed());
        }
        let pattern = self.settings.get(&USERNAME_PATTERN);
        if !self.compiled(&pattern).is_some_and(|pattern| pattern.is_match(&name)) {
            return Err(not_allowed(&pattern));
        }
        if name.is_ascii() || is_moderately_restrictive(&name) { Ok(name) } else { Err(DdpError::match_failed()) }
    }
}

impl Usernames {
    /// Returns the compiled pattern of the setting. `None` does not occur, since the setting was checked.
    fn compiled(&self, pattern: &str) -> Option<Regex> {
        let mut compiled = self.compiled.lock();
        if compiled.as_ref().is_none_or(|(text, _)| text != pattern) {
            *compiled = Some((pattern.to_owned(), compile(pattern).ok()?));
        }
        compiled.as_ref().map(|(_, regex)| regex.clone())
    }
}

fn not_allowed(pattern: &str) -> DdpError {
    let is_default = USERNAME_PATTERN.definition().default_value() == pattern;
    let rule = if is_default {
        "use only letters, numbers, dots, hyphens and underscores".to_owned()
    } else {
        format!("it must match {pattern}")
    };
    DdpError::new(400, format!("This is not a valid username: {rule}"))
}

/// Returns whether a name is at most "moderately restrictive". What ASCII has beside letters and digits is a matter of the
/// setting.
fn is_moderately_restrictive(name: &str) -> bool {
    let telling: String =
        name.chars().filter(|character| !character.is_ascii() || character.is_ascii_alphanumeric()).collect();
    telling.check_restriction_level(RestrictionLevel::ModeratelyRestrictive)
        && name.chars().all(|character| character.identifier_type() != Some(IdentifierType::Default_Ignorable))
}

/// Returns whether a name or address of another server can be stored unchanged.
pub(crate) fn imported(text: &str) -> bool {
    text.len() <= LONGEST_ADDRESS * CHARACTER
        && !text.trim().is_empty()
        && text.chars().count() <= LONGEST_ADDRESS
        && text.chars().all(is_visible)
}

/// Returns an address: text on both sides of an at sign.
pub(crate) fn address(text: &str) -> Result<String, DdpError> {
    let address = composed(text, LONGEST_ADDRESS).ok_or_else(DdpError::match_failed)?;
    let parts = address.rsplit_once('@');
    let is_possible = address.len() <= LONGEST_ADDRESS
        && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains(['"', '<', '>']))
        && address.chars().all(|character| is_visible(character) && !character.is_whitespace());
    if is_possible && is_deliverable(&address) { Ok(address) } else { Err(DdpError::match_failed()) }
}

/// Returns the name that is shown to others. It need not be unique.
///
/// # Errors
/// 400 for a name of spaces only, for a long one, and for one with markup.
pub(crate) fn shown_name(text: &str) -> Result<String, DdpError> {
    let name = text.trim();
    if name.contains(['<', '>']) {
        return Err(DdpError::new(400, "Name contains invalid characters"));
    }
    let is_possible = !name.is_empty()
        && name.len() <= LONGEST_SHOWN_NAME * CHARACTER
        && name.chars().count() <= LONGEST_SHOWN_NAME
        && name.chars().all(is_visible);
    if is_possible { Ok(name.to_owned()) } else { Err(DdpError::match_failed()) }
}

/// Returns a text trimmed and composed (NFC). `None` if it has more than `longest` bytes.
fn composed(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    (text.len() <= longest).then(|| text.nfc().collect())
}

/// Returns whether a character can be seen, and does not change how others are displayed.
fn is_visible(character: char) -> bool {
    let is_formatting = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    !character.is_control() && !is_formatting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usernames(pattern: Option<&str>) -> Usernames {
        let stored =
            pattern.map(|pattern| (USERNAME_PATTERN.id().to_owned(), serde_json::Value::from(pattern).to_string()));
        Usernames::new(Settings::new([], [], stored).unwrap())
    }

    /// The names of an operator who allows all letters, digits and spaces.
    fn generous() -> Usernames {
        usernames(Some(r"[\p{L}\p{M}\p{N}\p{So}\p{Cf}_. -]+"))
    }

    #[test]
    fn a_new_name_has_letters_digits_dots_hyphens_and_underscores() {
        let names = usernames(None);
        for right in ["ada", "Ada-1_2.3", &"x".repeat(100)] {
            assert_eq!(names.check(right).unwrap(), right);
        }
        assert_eq!(names.check(" Ada ").unwrap(), "Ada");
        for wrong in
            ["", "  ", "ada lovelace", "a/b", "a@b", "a＠b", "ädа", "Зоя", "a\u{0}b", "a\u{202e}b", &"x".repeat(101)]
        {
            assert_eq!(names.check(wrong).unwrap_err().error, 400.into(), "{wrong:?}");
        }
        assert!(names.check("Зоя").unwrap_err().to_string().contains("use only letters"));
        assert!(usernames(Some("[a-z]+")).check("Ada").unwrap_err().to_string().contains("[a-z]+"));
    }

    #[test]
    fn letters_that_look_like_others_do_not_stand_among_them() {
        let names = generous();
        for wrong in [
            "\u{430}lice",
            "ali\u{441}e",
            "\u{391}da",
            "\u{13aa}da",
            "a\u{200b}b",
            "a\u{3164}b",
            "a\u{fe0f}ä",
            "🦀crab",
            "x\u{e0041}",
        ] {
            assert!(names.check(wrong).is_err(), "{wrong:?}");
        }
        for right in ["Зоя", "Ζωή", "田中taro", "Łukasz", "añb-c_1.2", "Zoë Müller"] {
            assert!(names.check(right).is_ok(), "{right:?}");
        }
    }

    #[test]
    fn long_texts_are_refused_before_they_are_normalized() {
        let long = "\u{fdfa}".repeat(1 << 18);
        assert!(generous().check(&long).is_err());
        assert!(address(&format!("{long}@example.com")).is_err());
        assert!(shown_name(&long).is_err());
        assert!(!imported(&long));
        assert!(composed(&long, 400).is_none());
    }

    #[test]
    fn addresses_have_two_sides_and_no_line_breaks() {
        for wrong in ["", "a", "@", "a@", "@b", "a b@c", "a\r\n@b"] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
        assert!(address("ada@example.com").is_ok());
    }
}
