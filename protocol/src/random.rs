//! Ids and secrets as Meteor's `Random` makes them, from a source of chance that the caller brings.
//!
//! ```
//! use bolide_protocol::random;
//!
//! let mut rng = rand::rng();
//! assert_eq!(random::id(&mut rng).len(), 17);
//! assert_eq!(random::secret(&mut rng).len(), 43);
//! ```

use rand::Rng;

/// How long Meteor makes its ids.
pub const ID_LENGTH: usize = 17;

/// How long Meteor makes its secrets.
pub const SECRET_LENGTH: usize = 43;

/// An id of 17 characters, with 97 bits of chance.
pub fn id<R: Rng + ?Sized>(rng: &mut R) -> String {
    id_of_length(rng, ID_LENGTH)
}

/// An id of any length, of Meteor's 54 characters that are not easily mistaken for one another.
pub fn id_of_length<R: Rng + ?Sized>(rng: &mut R, length: usize) -> String {
    characters(rng, &UNMISTAKABLE, length)
}

/// That many hexadecimal digits, in lower case.
pub fn hex_string<R: Rng + ?Sized>(rng: &mut R, length: usize) -> String {
    characters(rng, &HEXADECIMAL, length)
}

/// A secret of 43 characters, with 258 bits of chance.
pub fn secret<R: Rng + ?Sized>(rng: &mut R) -> String {
    secret_of_length(rng, SECRET_LENGTH)
}

/// A secret of any length, with 6 bits of chance in every character.
pub fn secret_of_length<R: Rng + ?Sized>(rng: &mut R, length: usize) -> String {
    characters(rng, &BASE64, length)
}

fn characters<R: Rng + ?Sized>(rng: &mut R, alphabet: &Alphabet, length: usize) -> String {
    (0..length).map(|_| alphabet.character(below(rng, alphabet.size()))).collect()
}

/// Draws six bits until they are below `bound`, so that no number is likelier than another.
fn below<R: Rng + ?Sized>(rng: &mut R, bound: u8) -> u8 {
    loop {
        let [byte, ..] = rng.next_u32().to_le_bytes();
        let bits = byte & 0x3f;
        if bits < bound {
            return bits;
        }
    }
}

/// At most 64 characters to draw from.
pub(crate) struct Alphabet(&'static str);

/// Letters and digits that are not easily mistaken for one another.
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
