//! Whether a password is one of those that are tried first.
//!
//! A text is rated by zxcvbn, which knows common passwords, words, names, dates, keyboard patterns and their variants. Of a
//! digest, only equality with another digest can be known: it is compared with those of the 10 000 most common passwords,
//! `common.txt`, which are the first of zxcvbn's list (MIT license).

use std::sync::LazyLock;

use zxcvbn::{Score, zxcvbn};

use super::{NewPassword, Password};

/// The number of characters that are rated. A password whose beginning is hard to guess is hard to guess, and the time for
/// a long one grows with its cube: clients without a login must not make the server spend it.
const RATED_CHARACTERS: usize = 32;

/// The beginnings of the digests of common passwords, sorted.
static DIGESTS: LazyLock<Box<[[u8; 16]]>> = LazyLock::new(|| {
    let beginnings = include_str!("common.txt").lines().map(|common| beginning(&Password::from_plain(common)));
    let mut digests: Vec<[u8; 16]> = beginnings.collect();
    digests.sort_unstable();
    digests.into()
});

/// Returns whether fewer than a million guesses find the password; of a digest, whether it is that of a common password.
pub(crate) fn is_common(password: &NewPassword) -> bool {
    match password.plain() {
        Some(plain) => {
            let beginning: String = plain.chars().take(RATED_CHARACTERS).collect();
            zxcvbn(&beginning, &[]).score() < Score::Two
        }
        None => DIGESTS.binary_search(&beginning(password.password())).is_ok(),
    }
}

/// Returns the first hexadecimal digits of a digest. Two passwords do not have the same ones by accident.
fn beginning(password: &Password) -> [u8; 16] {
    password.digest().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bolide_protocol::ejson::{CustomTypes, Ejson};
    use data_encoding::HEXLOWER;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn digest_of(plain: &str) -> NewPassword {
        let digest = HEXLOWER.encode(&Sha256::digest(plain));
        let json = format!(r#"{{"digest":"{digest}","algorithm":"sha-256"}}"#);
        NewPassword::from_ejson(&Ejson::parse(&json, &CustomTypes::default()).unwrap()).unwrap()
    }

    #[test]
    fn common_passwords_are_known_as_text_and_as_digest() {
        for common in ["password", "123456", "qwertyuiop", "iloveyou"] {
            assert!(is_common(&NewPassword::from_plain(common).unwrap()), "{common}");
            assert!(is_common(&digest_of(common)), "{common}");
        }
        for uncommon in ["correct horse", "alice's password", "kV9#tq-2Lw"] {
            assert!(!is_common(&NewPassword::from_plain(uncommon).unwrap()), "{uncommon}");
            assert!(!is_common(&digest_of(uncommon)), "{uncommon}");
        }
    }

    #[test]
    fn variants_of_common_passwords_are_known_as_text() {
        for variant in ["Password1", "p@ssw0rd", "qwerty123", "20260101", "aaaaaaaaaaaa"] {
            assert!(is_common(&NewPassword::from_plain(variant).unwrap()), "{variant}");
        }
    }
}
