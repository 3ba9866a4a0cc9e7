//! Ids and secrets in the format of Meteor's `Random`, drawn from the caller's random number generator.
//!
//! ```
//! use bolide_protocol::random;
//!
//! let mut rng = rand::rng();
//! assert_eq!(random::id(&mut rng).len(), 17);
//! assert_eq!(random::secret(&mut rng).len(), 43);
//! ```

use rand::Rng;

/// The default length of ids, as in Meteor.
pub const ID_LENGTH: usize = 17;

/// The default length of secrets, as in Meteor.
pub const SECRET_LENGTH: usize = 43;

/// Returns an id of 17 characters with 97 bits of entropy.
pub fn id<R: Rng + ?Sized>(rng: &mut R) -> String {
    id_of_length(rng, ID_LENGTH)
}

/// Returns an id of `length` characters from Meteor's alphabet of 54 unmistakable characters.
pub fn id_of_length<R: Rng + ?Sized>(rng: &mut R, length: usize) -> String {
    characters(rng, &UNMISTAKABLE, length)
}

/// Returns `length` lower-case hexadecimal digits.
pub fn hex_string<R: Rng + ?Sized>(rng: &mut R, length: usize) -> String {
    characters(rng, &HEXADECIMAL, length)
}

/// Returns a secret of 43 characters with 258 bits of entropy.
pub fn secret<R: Rng + ?Sized>(rng: &mut R) -> String {
    secret_of_length(rng, SECRET_LENGTH)
}

/// Returns a secret of `length` characters with 6 bits of entropy each.
pub fn secret_of_length<R: Rng + ?Sized>(rng: &mut R, length: usize) -> String {
    characters(rng, &BASE64, length)
}

/// Draws six bits for each character, eight times at once. Those that are not below the size of the alphabet are dropped, so
/// that all characters are equally likely.
fn characters<R: Rng + ?Sized>(rng: &mut R, alphabet: &Alphabet, length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let drawn = rng.next_u64().to_le_bytes().map(|byte| byte & 0x3f);
        let fitting = drawn.into_iter().filter(|bits| *bits < alphabet.size());
        text.extend(fitting.take(length - text.len()).map(|bits| alphabet.character(bits)));
    }
    text
}

/// An alphabet of at most 64 characters.
pub(crate) struct Alphabet(&'static str);

/// Letters and digits that are hard to confuse with one another.
pub(crate) const UNMISTAKABLE: Alphabet = Alphabet("23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz");
pub(crate) const HEXADECIMAL: Alphabet = Alphabet("0123456789abcdef");
pub(crate) const BASE64: Alphabet = Alphabet("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

impl Alphabet {
    #[expect(clippy::cast_possible_truncation, reason = "there are at most 64 characters")]
    pub(crate) const fn size(&self) -> u8 {
        self.0.len() as u8
    }

    pub(crate) fn character(&self, index: u8) -> char {
        char::from(self.0.as_bytes()[usize::from(index)])
    }
}
