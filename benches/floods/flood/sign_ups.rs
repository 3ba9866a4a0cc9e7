//! Sign-ups: each costs the hash of a password and several writes.

use serde_json::json;

use crate::attack::{Attack, in_parallel};

const CONNECTIONS: usize = 200;

/// The limit of a connection.
const SIGN_UPS_PER_CONNECTION: usize = 5;

pub(super) fn flood(attack: &Attack) {
    in_parallel(CONNECTIONS, |connection| {
        let mut client = attack.client();
        for number in 0..SIGN_UPS_PER_CONNECTION {
            let options = json!([{ "username": format!("new{connection}n{number}"), "password": "a password" }]);
            let refused = attack.attempt(|| client.call("createUser", &options.to_string())).is_none();
            if refused {
                client = attack.client();
            }
        }
    });
}
